"""The packets of an open source, read in a thread of their own, with the moment of their arrival."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from detector.errors import SourceError
from streams.flow import Pipe, Stage
from streams.source import Source, VideoPacket

_AHEAD = 32  # packets read before they are wanted


@dataclass(frozen=True, slots=True)
class Clock:
    """Every clock a camera's thread uses."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet and when it came."""

    packet: VideoPacket
    arrival_s: float  # monotonic
    at: datetime  # UTC


class Feed:
    """Reads a source in a thread of its own, a little ahead.

    A call into the library can be silent for as long as the camera is (PyAV cannot be interrupted), and a
    stop must not wait for it: the owner just closes the feed, and the thread lets go of the connection when
    the call returns.
    """

    def __init__(self, camera_id: str, opened: Callable[[], Source], clock: Clock) -> None:
        self._opened = opened
        self._clock = clock
        self._pipe: Pipe[Source | Arrival | SourceError] = Pipe(_AHEAD)
        # A death is raised again by `take`, in the thread of the reader, whose own end the process sees.
        self._stage = Stage(f"{camera_id}-feed", self._run, ends=(self._pipe,), on_death=lambda *_: None)
        self._stage.start()

    def take(self, timeout_s: float) -> Source | Arrival | SourceError | None:
        """The open source, then its packets, last why it ended. None: nothing within `timeout_s`."""
        item = self._pipe.get(timeout_s)
        if item is None and self._stage.failed is not None:
            raise self._stage.failed
        return item

    def close(self) -> None:
        """No more is wanted, and nothing of the source will be touched any more. Does not wait."""
        self._stage.stop(0.0)
        self._pipe.close()

    @property
    def running(self) -> bool:
        """Whether the connection may still be held."""
        return self._stage.running

    def _run(self, stop: threading.Event) -> None:
        try:
            source = self._opened()
        except SourceError as error:
            self._pipe.put(error, stop)
            return
        try:
            self._pipe.put(source, stop)
            while not stop.is_set():
                packet = source.read()
                self._pipe.put(Arrival(packet, self._clock.monotonic(), self._clock.now()), stop)
        except SourceError as error:
            self._pipe.put(error, stop)
            stop.wait()  # what was read is still being decoded and cut, which needs the source open
        finally:
            source.close()
