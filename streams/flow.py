"""The only file with locks. Everything that crosses a thread goes through a Board, a Pipe or a Stage.

Board: the newest picture of each camera waits to be analysed. Pipe: a bounded queue. Stage: a thread with a
plain function in it. Each wait ends when its stop is set or the far end is closed; nothing here can wait for
ever.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from streams.frame import Frame

T = TypeVar("T")

_LOOK_S = 0.1  # a waiting putter looks at its stop this often: a stop is an Event, not part of our condition


class Closable(Protocol):
    """One end of a stage."""

    def close(self) -> None: ...


class Board:
    """One place per camera.

    Live (`lossless=False`): a newer picture takes the place of the one still waiting, which is counted as
    dropped. Lossless: `put` waits until the place is free, so every picture is analysed, in order. Cameras
    `join` before their thread starts and `leave` when it ends; with all of them gone and every picture taken
    the board is `done`.
    """

    def __init__(self, lossless: bool = False) -> None:
        self._lossless = lossless
        self._changed = threading.Condition()
        self._waiting: dict[str, Frame] = {}  # the longest waiting first
        self._cameras: set[str] = set()
        self._patient: set[str] = set()
        self._dropped: Counter[str] = Counter()
        self._closed = False

    def join(self, camera_id: str, *, lossless: bool = False) -> None:
        """A camera will put pictures. `lossless`: this one's wait, though others' may be overtaken."""
        with self._changed:
            self._cameras.add(camera_id)
            if lossless:
                self._patient.add(camera_id)

    def leave(self, camera_id: str) -> None:
        """A camera will put no more; what it has put can still be taken."""
        with self._changed:
            self._cameras.discard(camera_id)
            self._changed.notify_all()

    def forget(self, camera_id: str) -> None:
        """Nothing of a camera that has left is kept: another one may join under its id."""
        with self._changed:
            self._cameras.discard(camera_id)
            self._patient.discard(camera_id)
            self._waiting.pop(camera_id, None)
            self._dropped.pop(camera_id, None)
            self._changed.notify_all()

    def put(self, frame: Frame, stop: threading.Event) -> bool:
        """Show a picture. False: it was not accepted, because the board is closed or `stop` is set."""
        camera_id = frame.stamp.camera_id
        waits = self._lossless or camera_id in self._patient
        with self._changed:
            while waits and camera_id in self._waiting and not self._closed and not stop.is_set():
                self._changed.wait(_LOOK_S)
            if self._closed or stop.is_set():
                return False
            if camera_id in self._waiting:
                self._dropped[camera_id] += 1
            self._waiting[camera_id] = frame  # a replaced picture keeps the place of its camera in the row
            self._changed.notify_all()
            return True

    def take(self, max_batch: int, timeout_s: float) -> list[Frame]:
        """At most one picture per camera and `max_batch` in all, the longest waiting first.

        Empty after `timeout_s` without a picture, and at once when the board is done.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._is_done(), timeout_s)
            cameras = list(self._waiting)[:max_batch]
            frames = [self._waiting.pop(camera_id) for camera_id in cameras]
            if frames:
                self._changed.notify_all()
            return frames

    def holds(self, camera_id: str) -> bool:
        """Whether a picture of this camera waits."""
        with self._changed:
            return camera_id in self._waiting

    def close(self) -> None:
        """Nothing more is accepted; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def done(self) -> bool:
        """Whether no picture waits and none can come."""
        with self._changed:
            return self._is_done()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Pictures overtaken by a newer one, per camera, since the start."""
        with self._changed:
            return dict(self._dropped)

    def _is_done(self) -> bool:
        return not self._waiting and (self._closed or not self._cameras)


class Pipe(Generic[T]):
    """A bounded queue between two stages; `size` items at most. Items are never None."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"Pipe.size: wanted at least 1, got {size}")
        self._size = size
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._closed = False

    def put(self, item: T, stop: threading.Event) -> bool:
        """Wait for room and append. False: not accepted, because the pipe is closed or `stop` is set."""
        with self._changed:
            while len(self._items) >= self._size and not self._closed and not stop.is_set():
                self._changed.wait(_LOOK_S)
            if self._closed or stop.is_set():
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def offer(self, item: T) -> bool:
        """Append without waiting. False: not accepted, because there is no room or the pipe is closed."""
        with self._changed:
            if self._closed or len(self._items) >= self._size:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float) -> T | None:
        """The oldest item. None after `timeout_s` without one, and at once when the pipe is done."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Nothing more is accepted; what is inside can still be got."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def done(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closed and not self._items

    @property
    def full(self) -> bool:
        """Whether there is no room now."""
        with self._changed:
            return len(self._items) >= self._size

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)


class Stage:
    """A thread that runs `fn(stop)` once.

    When `fn` ends, by returning or by an exception, the `ends` are closed, so that the neighbours see it. An
    exception is kept in `failed` and handed to `on_death(name, error)`, whose owner ends the process: a
    worker with a dead part must not look alive.
    """

    def __init__(
        self,
        name: str,
        fn: Callable[[threading.Event], None],
        *,
        ends: Sequence[Closable] = (),
        on_death: Callable[[str, BaseException], None],
    ) -> None:
        self.name = name
        self.failed: BaseException | None = None
        self._fn = fn
        self._ends = tuple(ends)
        self._on_death = on_death
        self._stop = threading.Event()
        # A daemon, so that a call into a library that never returns cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin. May be called once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end and wait. False: it still runs after `timeout_s` and was abandoned."""
        self._stop.set()
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> bool:
        """Wait for it to end by itself. False: it still runs after `timeout_s`."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """Whether its thread is alive."""
        return self._thread.is_alive()

    def _run(self) -> None:
        fn = self._fn
        del (
            self._fn
        )  # mostly a method of the stage's owner: a circle, which only the garbage collector would free
        try:
            fn(self._stop)
        except BaseException as error:  # noqa: BLE001  a thread must not end unseen: this is reported
            self.failed = error
        for end in self._ends:
            end.close()
        if self.failed is not None:
            self._on_death(self.name, self.failed)
