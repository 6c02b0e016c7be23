"""The ONVIF devices that answer on this network (WS-Discovery). Only this file knows the library.

Found is not trusted: what a device says of itself is shown as text, and nothing is connected to.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from wsdiscovery import QName
from wsdiscovery.discovery import ThreadedWSDiscovery
from wsdiscovery.service import Service

_ONVIF_CAMERA = QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")
_SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """One device that answered."""

    host: str  # with brackets around an IPv6 address
    name: str
    hardware: str
    service: str  # address of its ONVIF service, without a query


def discover(timeout_s: float) -> list[Device]:
    """Ask once on every network interface and wait so long for answers."""
    asked = ThreadedWSDiscovery()
    asked.start()
    try:
        services = asked.searchServices(types=[_ONVIF_CAMERA], timeout=timeout_s)
    finally:
        asked.stop()
    return sorted({device for service in services for device in _devices_of(service)})


def _devices_of(service: Service) -> list[Device]:
    scopes = [str(scope.getValue()) for scope in service.getScopes()]
    devices = []
    for address in service.getXAddrs():
        parts = urlsplit(address)
        if parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            where = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"
            devices.append(Device(host, _told(scopes, "name"), _told(scopes, "hardware"), _shown(where)))
    return devices


def _told(scopes: list[str], what: str) -> str:
    """What a device says of itself, harmless to show."""
    for scope in scopes:
        if scope.startswith(f"{_SCOPE}{what}/"):
            return _shown(unquote(scope.removeprefix(f"{_SCOPE}{what}/")))
    return ""


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() and not "\u202a" <= c <= "\u202e" else "?" for c in text)[:100]
