"""Evidence from a camera's second stream: a small one is judged, a large one is kept for clips.

Stands between the reader and the recorder. The packets that are judged only tell what time it is; the recorder
is given those of the main stream, which has a connection, a clock and a back-off of its own and is never
decoded. Both streams' times are joined by when their packets arrive, so a clip may be off by what the camera
delays one stream more than the other. Lives in the reader's thread; only the reading has one of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from av.video.stream import VideoStream

from detector.errors import SourceError
from streams.address import Address
from streams.backoff import Backoff
from streams.feed import Arrival, Clock, Feed
from streams.recorder import Recorder
from streams.source import Source, VideoPacket, seconds_of
from streams.timeline import Timeline

log = logging.getLogger(__name__)

_MAX_OFF_S = 0.3  # the two clocks may part by this; then the main stream's is set anew, at a keyframe
_AT_ONCE = 200  # packets in one go, so that a bunch of them does not hold up the stream that is judged


class MainStream:
    """A `PacketSink` that keeps another stream than the one it is told of."""

    def __init__(
        self,
        camera_id: str,
        address: Address,
        recorder: Recorder,
        clock: Clock,
        open_source: Callable[[Address], Source],
        dice: Callable[[], float],
    ) -> None:
        self._camera_id, self._address, self._recorder = camera_id, address, recorder
        self._clock, self._open_source, self._backoff = clock, open_source, Backoff(dice)
        self._timeline = Timeline()
        self._feed: Feed | None = None
        self._source: Source | None = None
        self._retry_s = 0.0  # monotonic second of the next attempt
        self._epoch: int | None = None  # of the stream that is judged
        self._judged: tuple[float, float] | None = None  # its stream second, and when that was
        self._ahead_s: float | None = None  # what is added to the main stream's own seconds
        self._why = "the evidence stream has not come yet"

    def begin(self, template: VideoStream, epoch: int) -> None:
        """A stretch of the judged stream starts; what is kept belongs to it from the next keyframe on."""
        del template
        self._epoch, self._judged, self._ahead_s = epoch, None, None
        self._begin_recording()

    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None:
        """A packet of the judged stream: what time it is now."""
        del packet, keyframe
        self._judged = t, self._clock.monotonic()

    def tick(self) -> None:
        """Take what has come of the main stream."""
        now_s = self._clock.monotonic()
        if self._feed is None and now_s >= self._retry_s:
            self._feed = Feed(
                f"{self._camera_id}-main", lambda: self._open_source(self._address), self._clock
            )
        for _ in range(_AT_ONCE):
            item = self._feed.take(0.0) if self._feed is not None else None
            if item is None:
                break
            if isinstance(item, SourceError):
                self._lose(item, now_s)
            elif isinstance(item, Source):
                self._open(item, now_s)
            else:
                self._keep(item)
        self._recorder.tick()

    def end(self) -> None:
        """The judged stretch is over: its clips end with it."""
        self._epoch = None
        self._recorder.end()

    def close(self) -> None:
        """No more is wanted of either stream."""
        if self._feed is not None:
            self._feed.close()
            self._feed = self._source = None

    def _open(self, source: Source, now_s: float) -> None:
        self._source = source
        self._timeline.connect(live=True, fps=source.fps, arrival_s=now_s, timed=source.timed)
        self._ahead_s = None
        self._begin_recording()
        log.info("evidence stream open camera_id=%s codec=%s", self._camera_id, source.codec_name)

    def _lose(self, error: SourceError, now_s: float) -> None:
        self._why = f"the evidence stream is offline: {error.text()}"
        log.warning("evidence stream lost camera_id=%s error=%s", self._camera_id, error)
        self._retry_s = now_s + self._backoff.failed(now_s)
        self.close()
        if self._epoch is not None:
            self._recorder.lack(self._epoch, self._why)

    def _begin_recording(self) -> None:
        if self._epoch is None:
            return
        if self._source is None:
            self._recorder.lack(self._epoch, self._why)
        else:
            self._recorder.begin(self._source.template, self._epoch)

    def _keep(self, arrival: Arrival) -> None:
        """Give one packet to the recorder, on the clock of the judged stream."""
        packet, arrival_s = arrival.packet, arrival.arrival_s
        if self._timeline.check(
            seconds_of(packet.pts if packet.dts is None else packet.dts, packet), arrival_s
        ):
            self._timeline.begin(arrival_s)
            self._ahead_s = None
            self._begin_recording()
        own_t = self._timeline.packet_t(seconds_of(packet.pts, packet), arrival_s)
        self._backoff.online(arrival_s)
        if self._judged is None or self._epoch is None:
            return
        judged_t, judged_s = self._judged
        ahead_s = judged_t + (arrival_s - judged_s) - own_t
        if self._ahead_s is None or (packet.is_keyframe and abs(ahead_s - self._ahead_s) > _MAX_OFF_S):
            self._ahead_s = ahead_s
        self._recorder.add(packet, own_t + self._ahead_s, packet.is_keyframe)
