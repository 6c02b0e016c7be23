"""POSTs signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

Redirects are not followed, proxies of the environment not asked, and of the answer only the status is looked at.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import httpcore

from api.outbound.message import Note
from api.outbound.reach import Reach
from api.outbound.sender import LIMIT_S
from api.schemas_outbound import key_bytes
from detector.errors import TargetRefused, TargetUnreachable

_LATER = frozenset({408, 425, 429})


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to the address that was checked; the name stays for the certificate."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._plain = reach, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await self._reach.address(host, port)
        return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._plain.sleep(seconds)


class Webhook:
    """One receiver of POSTs."""

    def __init__(self, url: str, key: str, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._url, self._key, self._clock = url, key_bytes(key), clock
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(), max_connections=1, network_backend=_Checked(reach)
        )

    async def send(self, note: Note) -> str:
        """POST once; 2xx is delivered."""
        body = note.json()
        try:
            async with asyncio.timeout(LIMIT_S):
                async with self._pool.stream(
                    "POST", self._url, headers=self._headers(note.key, body), content=body
                ) as answer:
                    status = answer.status
        except TimeoutError as error:
            raise TargetUnreachable(f"no answer within {LIMIT_S:g} s") from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise TargetUnreachable(f"no connection: {type(error).__name__}") from error
        if 200 <= status < 300:
            return f"answered {status}"
        if 300 <= status < 400:
            raise TargetRefused(f"answered {status}: redirects are not followed")
        if 400 <= status < 500 and status not in _LATER:
            raise TargetRefused(f"answered {status}")
        raise TargetUnreachable(f"answered {status}")

    def _headers(self, key: str, body: bytes) -> list[tuple[str, str]]:
        at = str(int(self._clock().timestamp()))
        signed = hmac.digest(self._key, f"{key}.{at}.".encode() + body, hashlib.sha256)
        return [
            ("content-type", "application/json"),
            ("user-agent", "watchpost"),
            ("webhook-id", key),
            ("webhook-timestamp", at),
            ("webhook-signature", "v1," + base64.b64encode(signed).decode()),
        ]

    async def idle(self) -> None:
        """Nothing is kept up."""

    async def close(self) -> None:
        """Close what is open."""
        await self._pool.aclose()
