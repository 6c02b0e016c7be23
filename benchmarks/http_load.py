"""A load client for loopback: many kept connections, as little work for each request as there can be.

The client shares the machine with the service it loads, so what it costs itself falsifies the figures: plain
streams and counted bytes instead of an HTTP library. It speaks to our own service alone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from benchmarks.children import DrillError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EVENT_ALERT = re.compile(rb'event: alert\ndata: \{"alert_id":"([0-9a-f-]{36})"')


@dataclass(slots=True)
class Connection:
    """One kept connection. Use as an asynchronous context manager."""

    port: int
    headers: Mapping[str, str]
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request and its whole answer: status, head and body together."""
        self._writer.write(self._head(method, path, len(body)) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        answer = await self._reader.readexactly(int(length[1])) if length else b""
        return int(head[9:12]), head + answer

    async def listen(self, path: str, heard: Callable[[str, float], None]) -> None:
        """Follow a feed until the connection ends: calls `heard(alert id, monotonic s)`. Raises DrillError."""
        self._writer.write(self._head("GET", path, 0))
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise DrillError("the feed did not open", where=path, got=head[:40].decode("latin-1"))
        rest = b""
        while chunk := await self._reader.read(1 << 16):
            now, rest = time.monotonic(), rest + chunk
            end = rest.rfind(b"\n\n") + 2
            if end >= 2:
                for found in _EVENT_ALERT.finditer(rest[:end]):
                    heard(found[1].decode(), now)
                rest = rest[end:]

    def _head(self, method: str, path: str, length: int) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if length:
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True, slots=True)
class Posted:
    """What a volley of posts gave."""

    seconds: float  # the whole volley
    took_s: list[float]  # each post

    @property
    def per_s(self) -> float:
        """Posts a second."""
        return len(self.took_s) / self.seconds


async def volley(
    port: int,
    headers: Mapping[str, str],
    path: str,
    bodies: Iterator[bytes],
    n_connections: int,
    for_s: float,
) -> Posted:
    """Post for so long on so many connections, each one's next as soon as its last is answered.

    Raises DrillError for any answer but 201.
    """
    took_s: list[float] = []
    began = time.monotonic()

    async def post_on() -> None:
        async with Connection(port, headers) as connection:
            while time.monotonic() - began < for_s:
                asked = time.monotonic()
                status, answer = await connection.ask("POST", path, next(bodies))
                if status != 201:
                    raise DrillError(
                        "an alert was not stored", wanted="201", got=answer[-300:].decode("latin-1")
                    )
                took_s.append(time.monotonic() - asked)

    async with asyncio.TaskGroup() as group:
        for _ in range(n_connections):
            group.create_task(post_on())
    return Posted(time.monotonic() - began, took_s)
