"""A reader in its thread for tests: a clock on which waiting takes no time, and all that it says and shows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av

from api.schemas import CameraState
from detector.types import Stamp
from streams.address import address_of
from streams.config import Camera
from streams.feed import Clock
from streams.flow import Board, Stage
from streams.frame import Frame
from streams.reader import CameraHealth, Outside, Reader
from streams.source import VideoPacket

LONG_S = 20.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class FakeTime:
    """A clock on which waiting takes no time."""

    s: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def wait(self, stop: threading.Event, wait_s: float) -> bool:
        self.waits.append(wait_s)
        self.s += wait_s
        return stop.wait(0.001)

    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: self.s, now=lambda: NOON + timedelta(seconds=self.s - 1000), wait=self.wait
        )


class Sink:
    """A recorder that only notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def begin(self, template: av.VideoStream, epoch: int) -> None:
        self.calls.append(("begin", epoch, template.codec_context.name))

    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None:
        self.calls.append(("add", round(t, 3), keyframe))

    def tick(self) -> None:
        assert self.calls[-1][0] == "add"

    def end(self) -> None:
        self.calls.append(("end",))

    def names(self) -> list[str]:
        """The calls, with a row of packets as one."""
        names = [call[0] for call in self.calls]
        return [name for i, name in enumerate(names) if name != "add" or names[i - 1 : i] != ["add"]]

    def times(self) -> list[float]:
        return [call[1] for call in self.calls if call[0] == "add"]


class Run:
    """A reader in its thread, with all that it says."""

    def __init__(self, camera: Camera, outside: Outside, sink: Sink | None = None) -> None:
        self.sink = sink or Sink()
        self.board = Board(lossless=True)
        self.stamps: list[Stamp] = []
        self.frames: deque[Frame] = deque(maxlen=60)  # the newest
        self.states: list[CameraHealth] = []
        self._changed = threading.Condition()
        self.reader = Reader(camera, self.board, self.sink, self._on_state, outside)
        self.died: list[BaseException] = []
        self.stage = Stage("gate", self._read, on_death=lambda _, error: self.died.append(error))
        self.stage.start()

    def _read(self, stop: threading.Event) -> None:
        self.reader.run(stop)
        if stop.is_set():
            self.reader.close()

    def _on_state(self, health: CameraHealth) -> None:
        with self._changed:
            self.states.append(health)
            self._changed.notify_all()

    def wait_state(self, state: CameraState, count: int = 1) -> CameraHealth:
        """Take pictures until the state has come for the `count`th time."""
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline:
            self.take(0.02)
            with self._changed:
                seen = [health for health in self.states if health.state is state]
                if len(seen) >= count:
                    return seen[count - 1]
        raise AssertionError(f"no {state}, only {self.states}")

    def take(self, timeout_s: float = 0.2) -> None:
        frames = self.board.take(8, timeout_s)
        self.frames += frames
        self.stamps += [frame.stamp for frame in frames]

    def take_until(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG_S
        while not enough():
            assert time.monotonic() < deadline, self.reader.health
            self.take()

    def finish(self) -> Run:
        """Take everything until the reader has ended by itself."""
        self.take_until(lambda: self.board.done)
        assert self.stage.wait(LONG_S)
        return self

    def stop(self) -> float:
        """Stop it; gives the seconds that took."""
        began_s = time.monotonic()
        assert self.stage.stop(LONG_S)
        return time.monotonic() - began_s


def camera(path: Path, **changes: Any) -> Camera:
    values: dict[str, Any] = {"pace": "fast", "analyse_fps": 60.0} | changes
    return Camera(id="gate", name="Gate", address=address_of(str(path), "", "", Path()), **values)


def live_camera(url: str, **changes: Any) -> Camera:
    return Camera(
        id="gate", name="Gate", address=address_of(url, "", "", Path()), analyse_fps=60.0, **changes
    )


def run(camera: Camera, **changes: Any) -> Run:
    values: dict[str, Any] = {"clock": FakeTime().clock(), "dice": lambda: 0.0} | changes
    return Run(camera, Outside(**values))


def times(stamps: Sequence[Stamp]) -> list[float]:
    return [round(stamp.t, 3) for stamp in stamps]
