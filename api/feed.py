"""The live feed: news go to every listener's own bounded queue, and a listener that cannot follow is let go.

Publishing never waits. A listener comes back with the number of the last change it saw and is given from the
database what it missed, so nothing has to be kept for it here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.db.session import AlertNews, News
from detector.errors import StorageError

log = logging.getLogger(__name__)

MAX_CATCH_UP = 1000  # changes; a listener that missed more is told to reload
_CHECK_S = 5.0  # how often an open stream asks whether its session still stands

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it goes over the wire; `change` is None when it does not count for resuming."""

    change: int | None
    chunk: bytes
    camera_id: str = ""  # whose it is; "": nobody's, for all


def encode(item: News) -> Message:
    """Server-sent form of a piece of news."""
    if isinstance(item, AlertNews):
        text = f"id: {item.change}\nevent: alert\ndata: {item.alert.model_dump_json()}\n\n"
        return Message(item.change, text.encode(), item.alert.camera_id)
    return Message(None, f"event: camera\ndata: {item.model_dump_json()}\n\n".encode(), item.camera_id)


@dataclass(slots=True, eq=False)
class Listener:
    """One open stream."""

    queue: asyncio.Queue[Message | None]  # None: the end
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: Message | None) -> bool:
        """False when the queue was full; the listener is then let go."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.let_go.set()
            return False
        return True


class Feed:
    """Hands news to listeners."""

    def __init__(self, *, queue_size: int = 256, ping_s: float = 15.0) -> None:
        self.ping_s = ping_s
        self._queue_size = queue_size
        self._listeners: set[Listener] = set()
        self._closed = False

    @property
    def n_listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    def publish(self, news: Sequence[News]) -> None:
        """Queue news for every listener; never waits."""
        if not self._listeners:
            return
        for item in news:
            message = encode(item)
            for listener in [one for one in self._listeners if not one.put(message)]:
                log.warning("feed listener let go reason=too_slow queue=%d", self._queue_size)
                self._listeners.discard(listener)

    def listen(self) -> Listener:
        """A new listener; it hears everything published from now on."""
        listener = Listener(asyncio.Queue(self._queue_size))
        if self._closed:
            listener.put(None)
        else:
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream, and every one opened later: the service stops."""
        self._closed = True
        for listener in self._listeners:
            listener.put(None)
        self._listeners.clear()


def _all(_camera_id: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stream gets what it missed, whether it may go on, and of which cameras it may tell."""

    head: Callable[[], Awaitable[int]]
    changes_after: Callable[[int, int], Awaitable[list[AlertNews]]]
    may_go_on: Callable[[], Awaitable[bool]]
    sees: Callable[[str], bool] = _all


class FeedResponse(Response):
    """Streams the feed to one listener until it leaves, is let go, loses its session or the service stops."""

    media_type = "text/event-stream"

    def __init__(
        self, feed: Feed, source: Source, last_change: int | None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._feed, self._source, self._last = feed, source, last_change

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Run the stream; a listener that stopped reading is cut even while a send waits for it."""
        listener = self._feed.listen()
        try:
            async with anyio.create_task_group() as group:

                async def stop_when(over: Callable[[], Awaitable[object]]) -> None:
                    await over()
                    group.cancel_scope.cancel()

                group.start_soon(stop_when, lambda: _disconnected(receive))
                group.start_soon(stop_when, listener.let_go.wait)
                await self._stream(listener, send)
                group.cancel_scope.cancel()
        finally:
            self._feed.leave(listener)

    async def _stream(self, listener: Listener, send: Send) -> None:
        async def write(chunk: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        seen = await self._catch_up(write)
        loop = asyncio.get_running_loop()
        spoke = checked = loop.time()
        tick_s = min(_CHECK_S, self._feed.ping_s)
        while True:
            messages = await _waiting(listener.queue, tick_s)
            if None in messages or not await self._allowed(loop.time() - checked):
                break
            if loop.time() - checked >= _CHECK_S:
                checked = loop.time()
            chunk, seen = self._fresh(messages, seen)
            if not chunk and loop.time() - spoke >= self._feed.ping_s:
                chunk = b": ping\n\n"
            if chunk:
                await write(chunk)
                spoke = loop.time()
        await write(b"", more=False)

    def _fresh(self, messages: Sequence[Message | None], seen: int) -> tuple[bytes, int]:
        """What of these this listener may see and has not seen, as one piece; and the newest change it knows then."""
        chunks = []
        for message in messages:
            if message is None or (message.camera_id and not self._source.sees(message.camera_id)):
                continue
            if message.change is None or message.change > seen:
                seen = message.change or seen
                chunks.append(message.chunk)
        return b"".join(chunks), seen

    async def _allowed(self, unchecked_s: float) -> bool:
        if unchecked_s < _CHECK_S:
            return True
        try:
            return await _whole(self._source.may_go_on())
        except StorageError:
            return True  # a busy database does not end a stream; the next check decides

    async def _catch_up(self, write: Callable[[bytes], Awaitable[None]]) -> int:
        """Send what was missed; returns the newest change the listener now knows."""
        head = await _whole(self._source.head())
        if self._last is None:
            await write(f"id: {head}\nevent: ready\ndata: {{}}\n\n".encode())
            return head
        missed = await _whole(self._source.changes_after(self._last, MAX_CATCH_UP + 1))
        if len(missed) > MAX_CATCH_UP or self._last > head:
            await write(f"id: {head}\nevent: reload\ndata: {{}}\n\n".encode())
            return head
        for item in missed:
            await write(encode(item).chunk)
        await write(b"event: ready\ndata: {}\n\n")
        return missed[-1].change if missed else self._last


async def _whole(reading: Awaitable[_Read]) -> _Read:
    """A read of the database, to its end though the listener has left: broken off, its connection and thread would stay."""
    with anyio.CancelScope(shield=True):
        found = await reading
    return found


async def _waiting(queue: asyncio.Queue[Message | None], tick_s: float) -> list[Message | None]:
    """All that waits for a listener, as soon as something does; nothing after a tick.

    Many changes at once are one write to each of many listeners.
    """
    try:
        messages = [await asyncio.wait_for(queue.get(), tick_s)]
    except TimeoutError:
        return []
    while not queue.empty():
        messages.append(queue.get_nowait())
    return messages


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
