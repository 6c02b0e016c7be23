"""Where a camera's pictures come from: what the site file says, checked, and what of it may be shown. Pure.

A login is encoded here, once, and nothing that is shown or raised holds one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

from detector.errors import ConfigError
from streams import hardware

_SCHEMES = ("rtsp", "rtsps", "http", "https")
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_DEVICES = "v4l2"  # of Linux: v4l2:///dev/video0

Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera's pictures come from."""

    # A file's absolute path, or a URL that may hold a login.
    url: str = field(repr=False)
    # What may be shown and logged: of a URL no login, path or query, since some cameras log in by the path.
    shown: str
    live: bool
    device: bool = False  # a camera plugged into this machine; `url` is then its device file
    transport: Transport = "tcp"  # of RTSP
    tls_verify: bool = True  # of rtsps and https: refuse a certificate that is not trusted
    tls_ca_file: Path | None = None  # trusted instead of the system's authorities; a camera's own certificate
    decoder: hardware.Decoder = hardware.SOFTWARE

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port of a camera on the network."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def address_of(source: str, user: str, password: str, folder: Path) -> Address:
    """Check and join what the site file says. A login in its own fields is encoded here, once.

    Raises ConfigError, which never repeats the source.
    """
    if "://" not in source:
        if user or password:
            raise ConfigError("a file has no login", wanted="no user and no password")
        path = (folder / Path(source).expanduser()).absolute()
        return Address(url=str(path), shown=str(path), live=False)
    scheme, rest = source.split("://", 1)
    if scheme.lower() == _DEVICES:
        if not rest.startswith("/dev/") or user or password:
            raise ConfigError("not a video device", wanted="v4l2:///dev/video0, without a login")
        return Address(url=rest, shown=rest, live=True, device=True)
    if scheme.lower() not in _SCHEMES:
        raise ConfigError(
            "this kind of address is not read",
            wanted=", ".join((*_SCHEMES, _DEVICES)) + " or a file path",
            got=f"{scheme}://",
        )
    encode = "Put the login in the fields user and password; an IPv6 host stands in brackets"
    try:
        parts = urlsplit(source)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("not a URL", wanted=f"{scheme}://host:port/path", todo=encode) from None
    login, at, place = parts.netloc.rpartition("@")
    if (
        not host
        or not source.isprintable()
        or " " in source
        or "#" in source
        or "@" in login
        or (not at and "@" in rest)
        or re.search(r"%(?![0-9A-Fa-f]{2})", login)
    ):
        raise ConfigError("not a URL", wanted=f"{scheme}://host:port/path, encoded", todo=encode)
    if at and (user or password):
        raise ConfigError("two logins", wanted="one, in the URL or in user and password", got="both")
    if password and not user:
        raise ConfigError("a password without a user", wanted="both")
    if user:
        login, at = f"{quote(user, safe='')}:{quote(password, safe='')}", "@"
    shown_host = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{shown_host}" + (f":{port}" if port else "") + ("/…" if parts.path else "")
    return Address(
        url=f"{parts.scheme}://{login}{at}{place}{rest.removeprefix(parts.netloc)}", shown=shown, live=True
    )
