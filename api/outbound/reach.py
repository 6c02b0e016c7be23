"""Which addresses the service may connect to, and by what name it knows who answers.

A name is resolved once for each connection; what is checked is the address that is then connected to, so a
name that changes its mind between two looks gains nothing. Every form of an address (mapped, translated,
tunnelled) is judged by the address it leads to. Link-local addresses, those of clouds' metadata, and the
service itself are refused whatever the settings say.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from detector.errors import TargetUnreachable

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_METADATA = frozenset(
    {ip_address("169.254.169.254"), ip_address("fd00:ec2::254"), ip_address("100.100.100.200")}
)
_SHARED = IPv4Network("100.64.0.0/10")  # carrier-grade NAT: private in all but name
_REMEDY = "WATCHPOST_OUTBOUND_PRIVATE=true allows private addresses"


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, best first, as the system knows them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be connected to: public addresses, and private ones where a setting says so."""

    private: bool
    own_ports: Collection[int] = ()  # on which this very service listens
    resolve: Resolve = resolve

    async def address(self, host: str, port: int) -> str:
        """The address to connect to, checked. Raises TargetUnreachable, without the address in it."""
        try:
            found = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise TargetUnreachable("the name leads to no address", where=host) from error
        for text in found:
            if problem := self.problem(ip_address(text.partition("%")[0]), port):
                raise TargetUnreachable(f"not allowed: {problem}", where=host)
        return found[0]

    def problem(self, address: Address, port: int) -> str:
        """Why this address may not be connected to; "" when it may."""
        for one in _all_forms(address):
            if one in _METADATA or one.is_link_local:
                return "a link-local address"
            if one.is_unspecified or one.is_multicast or (one.version == 4 and one.is_reserved):
                return "not the address of one host"
            if one.is_loopback or one.is_private or (one.version == 4 and one in _SHARED):
                if not self.private:
                    return f"a private address. {_REMEDY}"
            elif not one.is_global:
                return "a reserved address"
            if port in self.own_ports and _is_this_host(one):
                return "this service itself"
        return ""


def _all_forms(address: Address) -> list[Address]:
    """The address, or those it leads to when it only wraps others."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    wrapped = address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)
    return [IPv4Address(int(address) & 0xFFFFFFFF)] if wrapped else [address]


def _is_this_host(address: Address) -> bool:
    """Whether the address is one of this machine's own: only such a one can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class NamedContext(ssl.SSLContext):
    """Certificates are asked for by name although the connection was made by address."""

    peer_name: str

    @classmethod
    def of(cls, name: str) -> NamedContext:
        """A context that trusts what the system trusts."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.peer_name = name
        context.load_default_certs()
        return context

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As the library does, with the name."""
        return super().wrap_socket(*args, **(options | {"server_hostname": self.peer_name}))

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """As the library does, with the name."""
        return super().wrap_bio(*args, **(options | {"server_hostname": self.peer_name}))
