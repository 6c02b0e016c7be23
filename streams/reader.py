"""The thread of one camera: source -> packets to the recorder -> pictures -> sampled pictures to the Board.

One camera's trouble stays here: a SourceError becomes a state with a reason and a retry, never an exception.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

import av

from api.schemas import CameraState
from detector.errors import SourceEnded, SourceError, SourceUnreadable, Trouble
from detector.types import Stamp
from streams.address import Address
from streams.backoff import REFUSED_LOGIN_S, TOP_S, Backoff
from streams.config import Camera
from streams.damage import Damage
from streams.feed import Arrival, Clock, Feed
from streams.flow import Board
from streams.frame import Frame, upright_size
from streams.knock import Patience, answers
from streams.link import Limits, Link
from streams.source import Source, VideoPacket, open_source, seconds_of
from streams.timeline import Timeline

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.2  # how often a connection that is to be given back is looked at
_LATE_S = 1.0
BURST_FPS = 10.0  # while people are close enough to hand something over: that takes half a second
_WRONG_CLOCK_S = 60.0
_NTP_ERA_S = 2.0**32
STOPPED = "stopped"  # the reason of a camera that is not watched any more
_EARLY_S = 1e-3  # a picture this much before its turn is taken: times are rounded in the file


class PacketSink(Protocol):
    """The recorder's side of a camera, called only by the reader's thread.

    The order is begin, (add, tick)*, end, begin, ... Nothing of one stretch can be joined to another.
    """

    def begin(self, template: av.VideoStream, epoch: int) -> None:
        """Packets that belong together start here. `template` is valid until `end` has returned."""

    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None:
        """One packet, in decoding order; its pts and dts are the source's and may be None.

        `t`: stream seconds, on the clock of the frames' stamps. Not monotone with B-frames, as pts is not.
        """

    def tick(self) -> None:
        """After every packet: the time to cut what can be cut."""

    def end(self) -> None:
        """The stretch is over: cut what was asked for with what is there; `template` becomes invalid."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a reader takes from the world; tests give their own."""

    clock: Clock = field(default_factory=Clock)
    dice: Callable[[], float] = random.random
    open_source: Callable[[Address], Source] = open_source
    limits: Limits = field(default_factory=Limits)
    knock: Callable[[Address], bool] = answers


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """A camera as its reader sees it. Counts since the start."""

    camera_id: str
    state: CameraState = CameraState.STARTING
    reason: str = ""  # why it is not online
    width: int = 0  # px, upright picture; 0: none seen yet
    height: int = 0
    t: float = 0.0  # stream second of the newest picture
    n_decoded: int = 0
    n_corrupt: int = 0  # decoded but damaged, or built on what was lost: not analysed
    n_decode_errors: int = 0  # packets that could not be read or decoded
    n_untimed: int = 0  # pictures left out because their time did not go forward
    n_connects: int = 0  # attempts to open
    arrived_s: float | None = None  # monotonic, of the newest picture
    trouble: Trouble = Trouble.NONE  # the reason as a word
    clock_offset_s: float | None = None  # the camera's clock less ours; None: it does not tell its time
    decoder: str = ""  # where pictures are decoded: "software" or a device; "": not known yet
    estimated_time: bool = False  # the source tells no time: counted (file) or taken from arrival (live)


class Reader:
    """Reads one camera until it ends for good or is stopped. `run` is the function of its Stage."""

    def __init__(
        self,
        camera: Camera,
        board: Board,
        sink: PacketSink,
        on_state: Callable[[CameraHealth], None],
        outside: Outside = Outside(),
    ) -> None:
        """Joins the board at once. `on_state` is called in the reader's thread at each change of state."""
        self._camera = camera
        self._board = board
        self._sink = sink
        self._on_state = on_state
        self._outside = outside
        self._clock = outside.clock
        self._backoff = Backoff(outside.dice)
        self._patience = Patience(camera.address, outside.clock.wait, outside.dice, outside.knock)
        self._timeline = Timeline()
        self._health = CameraHealth(camera.id)
        self._started_at = self._clock.now()
        self._feed: Feed | None = None  # of the newest attempt
        self._recording = False
        self._size: tuple[int, int] | None = None  # of this epoch's pictures
        self._damage = Damage()  # of this epoch
        self._due_t = 0.0  # stream second from which the next picture is analysed
        self._shown_t = 0.0  # stream second of the newest one that was
        self._burst_until_t = 0.0  # until then more of them are; set by another thread
        self._pace: tuple[float, float] | None = None  # a moment in monotonic seconds and in stream seconds
        board.join(camera.id)

    @property
    def health(self) -> CameraHealth:
        """The newest state and counts. May be read from any thread."""
        return self._health

    def run(self, stop: threading.Event) -> None:
        """Connect, read, connect again. Returns when stopped, or when a file has ended or cannot be read."""
        try:
            while not stop.is_set():
                try:
                    self._attempt(stop)
                except SourceError as error:
                    # Its frames hold the connection, and one of them the error itself: a circle, which only the
                    # garbage collector would free.
                    error.__traceback__ = None
                    if not self._go_on_after(error, stop):
                        return
        finally:
            if stop.is_set() and self._health.state is not CameraState.ENDED:
                self._change(CameraState.STOPPING, self._health.reason, self._health.trouble)
            self._board.leave(self._camera.id)

    def close(self) -> None:
        """The last word of a camera that was stopped, once nothing of it is left. In the thread of `run`."""
        if self._health.state is not CameraState.ENDED:
            before = self._health.reason
            self._change(
                CameraState.ENDED, one_line(f"{STOPPED}; before that: {before}") if before else STOPPED
            )

    def _attempt(self, stop: threading.Event) -> None:
        """One connection, or one run through a file. Raises SourceError at its end, returns when stopped."""
        address = self._camera.address
        # Cameras allow few connections: the next one waits until the one before is given back.
        while self._feed is not None and self._feed.running and not stop.is_set():
            self._clock.wait(stop, _LOOK_S)
        if stop.is_set():
            return
        self._note(n_connects=self._health.n_connects + 1)
        feed = Feed(self._camera.id, lambda: self._outside.open_source(address), self._clock)
        self._feed = feed
        link = Link(feed, self._clock.monotonic, self._outside.limits, address)
        try:
            source = link.open(stop)
            if source is not None:
                self._read(source, link, stop)
        finally:
            self._end_recording()
            feed.close()

    def _read(self, source: Source, link: Link, stop: threading.Event) -> None:
        arrival_s = self._clock.monotonic()
        self._timeline.connect(
            live=source.address.live, fps=source.fps, arrival_s=arrival_s, timed=source.timed
        )
        if source.decoder != self._health.decoder and (why := source.not_on_a_device):
            _LOG.info("decoded in software camera_id=%s why=%r", self._camera.id, why)
        self._note(decoder=source.decoder)
        self._start_epoch(source)
        errors, decoded = self._health.n_decode_errors, self._health.n_decoded
        try:
            while (arrival := link.next(stop)) is not None:
                if self._take(source, arrival, stop):
                    link.seen()
                self._note(n_decode_errors=errors + source.n_bad_packets + source.n_bad_reads)
        except SourceEnded as ended:
            if link.newest is not None:
                self._put_all(source, source.flush(), link.newest, stop)
            if self._health.n_decoded == decoded:
                raise SourceUnreadable(
                    "no picture in it can be decoded", trouble=Trouble.NO_VIDEO, where=ended.where
                ) from None
            raise

    def _take(self, source: Source, arrival: Arrival, stop: threading.Event) -> bool:
        """One packet: time, pictures, recorder. Says whether a picture came of it.

        It is decoded before it is recorded, since its picture may show that a new epoch begins with it.
        """
        packet, arrival_s = arrival.packet, arrival.arrival_s
        self._compare_clocks(source, arrival)
        why = self._timeline.check(
            seconds_of(packet.pts if packet.dts is None else packet.dts, packet), arrival_s
        )
        if why:
            self._put_all(source, source.flush(), arrival, stop)  # these are from before
            self._next_epoch(source, arrival, why)
        t = self._timeline.packet_t(seconds_of(packet.pts, packet), arrival_s)
        epoch = self._timeline.epoch
        seen = self._put_all(source, self._decode(source, packet, t), arrival, stop)
        if self._timeline.epoch != epoch:
            t = self._timeline.packet_t(seconds_of(packet.pts, packet), arrival_s)
        self._sink.add(packet, t, packet.is_keyframe)
        self._sink.tick()
        return seen

    def _compare_clocks(self, source: Source, arrival: Arrival) -> None:
        """Note how far the camera's clock is off, and say so once when that is far."""
        told_s = source.camera_clock_s(arrival.packet)
        if told_s is None:
            return
        # The camera counts seconds from 1900 in 32 bits: the nearest of the times that this can mean.
        offset_s = (told_s - arrival.at.timestamp() + _NTP_ERA_S / 2) % _NTP_ERA_S - _NTP_ERA_S / 2
        before_s = self._health.clock_offset_s or 0.0
        if abs(offset_s) > _WRONG_CLOCK_S >= abs(before_s):
            _LOG.warning(
                "the camera's clock is wrong, ours is used camera_id=%s offset_s=%.0f",
                self._camera.id, offset_s,
            )  # fmt: skip
        self._note(clock_offset_s=round(offset_s, 3))

    def _decode(self, source: Source, packet: VideoPacket, t: float) -> list[av.VideoFrame]:
        """The pictures of a packet shown at `t`; damage is noted before they are looked at."""
        n_bad, damaged = source.n_bad_packets, source.is_damaged(packet)
        frames = source.decode(packet, wanted=t >= self._due(t) - _EARLY_S)
        if damaged or source.n_bad_packets > n_bad:
            self._damage.at(t)
        return frames

    def _put_all(
        self, source: Source, frames: list[av.VideoFrame], arrival: Arrival, stop: threading.Event
    ) -> bool:
        """Stamp and count pictures, show those that are due at their time. Says whether there was one."""
        seen = False
        for video in frames:
            stamp = self._stamp(source, video, arrival)
            if stamp is None:
                continue
            seen = True
            self._be_online()
            if not source.address.live and self._camera.pace == "realtime":
                self._await(stamp.t, stop)
            if not self._damage.trusts(stamp.t, keyframe=video.key_frame, corrupt=video.is_corrupt):
                self._note(n_corrupt=self._health.n_corrupt + 1)
            elif self._is_due(stamp.t):
                self._board.put(Frame(stamp, video, self._camera.masks), stop)
        return seen

    def _stamp(self, source: Source, video: av.VideoFrame, arrival: Arrival) -> Stamp | None:
        width, height = upright_size(video)
        if self._size is not None and self._size != (width, height):
            self._next_epoch(source, arrival, f"the picture is now {width}x{height}")
            if video.pts is not None and not self._timeline.estimated:
                self._timeline.packet_t(seconds_of(video.pts, video), arrival.arrival_s)
        self._size = (width, height)
        t = self._timeline.frame_t(seconds_of(video.pts, video), arrival.arrival_s)
        health = self._health
        if t is None:
            self._note(n_untimed=health.n_untimed + 1)
            return None
        self._note(
            n_decoded=health.n_decoded + 1,
            t=t,
            arrived_s=arrival.arrival_s,
            width=width,
            height=height,
            estimated_time=self._timeline.estimated or source.counted,
        )
        return Stamp(
            camera_id=self._camera.id,
            epoch=self._timeline.epoch,
            index=health.n_decoded,
            t=t,
            at=arrival.at if source.address.live else self._started_at + timedelta(seconds=t),
            width=width,
            height=height,
        )

    def burst(self, until_t: float) -> None:
        """Give at least BURST_FPS pictures a second until that stream second. May be called from any thread."""
        self._burst_until_t = max(self._burst_until_t, until_t)

    def _due(self, t: float) -> float:
        """The stream second from which the next picture is wanted, as seen at `t`."""
        if t < self._burst_until_t:
            return min(self._due_t, self._shown_t + 1.0 / BURST_FPS)
        return self._due_t

    def _is_due(self, t: float) -> bool:
        """Sample at `analyse_fps` by stream time, in a burst faster."""
        if t < self._due(t) - _EARLY_S:
            return False
        self._shown_t = t
        if (
            t >= self._due_t - _EARLY_S
        ):  # else it is one more of a burst, and the usual ones stay where they were
            period_s = 1.0 / self._camera.analyse_fps
            self._due_t = self._due_t + period_s if t < self._due_t + period_s else t + period_s
        return True

    def _await(self, t: float, stop: threading.Event) -> None:
        """Wait until it is time for stream second `t` of a file. One that is late starts counting anew."""
        now_s = self._clock.monotonic()
        if self._pace is None or now_s > self._pace[0] + t - self._pace[1] + _LATE_S:
            self._pace = (now_s, t)
        wait_s = self._pace[0] + t - self._pace[1] - now_s
        if wait_s > 0.0:
            self._clock.wait(stop, wait_s)

    def _next_epoch(self, source: Source, arrival: Arrival, why: str) -> None:
        _LOG.warning("new epoch camera_id=%s why=%r", self._camera.id, why)
        self._end_recording()
        self._timeline.begin(arrival.arrival_s)
        self._start_epoch(source)

    def _start_epoch(self, source: Source) -> None:
        self._size, self._pace, self._due_t = None, None, 0.0
        self._damage = Damage(self._damage.keyframes_s)
        self._sink.begin(source.template, self._timeline.epoch)
        self._recording = True

    def _end_recording(self) -> None:
        if self._recording:
            self._recording = False
            self._sink.end()

    def _be_online(self) -> None:
        """Only a decoded picture makes a camera online."""
        self._backoff.online(self._clock.monotonic())
        if self._health.state is not CameraState.ONLINE:
            self._change(CameraState.ONLINE, "")

    def _go_on_after(self, error: SourceError, stop: threading.Event) -> bool:
        """The end of an attempt: say why, wait as long as needed. False: there is no use in another one."""
        live = self._camera.address.live
        if isinstance(error, SourceEnded):
            if not self._camera.loop:
                self._change(CameraState.ENDED, error.what)
            return self._camera.loop
        self._change(CameraState.OFFLINE, one_line(error.text()), error.trouble)
        if isinstance(error, SourceUnreadable) and not live:
            return False
        wait_s = self._backoff.failed(self._clock.monotonic())
        if error.trouble is Trouble.AUTH_FAILED:
            wait_s = REFUSED_LOGIN_S
        elif isinstance(error, SourceUnreadable):
            wait_s = TOP_S
        self._patience.wait(stop, wait_s, error.trouble)
        return True

    def _change(self, state: CameraState, reason: str, trouble: Trouble = Trouble.NONE) -> None:
        if (state, reason) == (self._health.state, self._health.reason):
            return
        level = logging.WARNING if state is CameraState.OFFLINE else logging.INFO
        _LOG.log(
            level,
            "camera_id=%s state=%s trouble=%s reason=%r",
            self._camera.id, state.value, trouble.value, reason,
        )  # fmt: skip
        self._note(state=state, reason=reason, trouble=trouble)
        self._on_state(self._health)

    def _note(self, **changes: Any) -> None:
        self._health = replace(self._health, **changes)


def one_line(text: str) -> str:
    """What a list may show: one line, no control or direction-changing characters."""
    return "".join(c if c.isprintable() and not "\u202a" <= c <= "\u202e" else "?" for c in text)[:500]
