"""The far end of a feed's stream, run in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from api.feed import FeedResponse

DEADLINE_S = 10


class Reader:
    """The far end of a stream: collects messages; can stop reading, leave, and be waited on."""

    def __init__(self, response: FeedResponse, *, reads: bool = True) -> None:
        self.chunks: list[bytes] = []
        self.left = asyncio.Event()
        self._more = asyncio.Event()
        self._reads = reads
        self.task = asyncio.create_task(response({"type": "http"}, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self._reads and self.chunks:
            await asyncio.Event().wait()  # a full socket: the send never comes back
        if message["type"] == "http.response.body":
            self.chunks.append(message["body"])
            self._more.set()

    async def until(self, done: Callable[[Reader], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not done(self):
                self._more.clear()
                await self._more.wait()

    async def end(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.task

    @property
    def text(self) -> str:
        return b"".join(self.chunks).decode()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.text.split("\n") if line.startswith("id: ")]
