"""What a source says of time -> stream seconds that only go forward, or a new epoch. Pure: no clock.

    a packet's decoding time --check--> "" | why a new epoch must begin      (before anything is decoded)
    a packet's, a picture's presentation time --packet_t, frame_t--> stream seconds

Stream seconds run on across epochs, so that no two moments of a camera share one. Within an epoch they follow
the source's own times; where it gives none, arrival tells (live) or a count at the declared rate (file).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MIN_FPS, MAX_FPS = 1.0, 120.0
DEFAULT_FPS = 25.0

_BACK_S = 1.0  # further back than this is a jump, less is disorder: those pictures are left out
_GAP_S = 10.0  # a longer hole is a jump
_BELIEVED_GAP_S = 3600.0  # a file may have been paused this long; a longer hole is a broken clock
_STUCK_S = 1.0  # times that stand still for longer are not used any more
_RATE_WINDOW_S = 60.0  # over which a live source's clock is compared with ours; HLS comes 10 s at a time
_LEAST_RATE, _MOST_RATE = 0.75, 1.33  # of ours; another rate was made up by a demuxer or a camera
_LEAST_S = 1e-3  # two moments differ by at least this


def usable_fps(*declared: float | None) -> float | None:
    """The first declared rate that can be true: 1-120 pictures a second. Streams claim 0, 180000 or NaN."""
    for fps in declared:
        if fps is not None and math.isfinite(fps) and MIN_FPS <= fps <= MAX_FPS:
            return fps
    return None


@dataclass(slots=True)
class _Epoch:
    """What is known since the epoch began. Presentation and decoding times are the source's own seconds."""

    base_t: float  # stream seconds at which it begins
    begin_s: float  # arrival of its first packet, monotonic seconds
    anchor_s: float | None = None  # presentation time at stream second 0
    newest_decode_s: float | None = None
    window: tuple[float, float] | None = None  # decoding time and arrival at its beginning
    moved_s: float = 0.0  # arrival of the packet with the newest decoding time
    n_still: int = 0  # packets since then
    packet_t: float | None = None
    frame_t: float | None = None


class Timeline:
    """The clock of one camera, over all its connections."""

    def __init__(self) -> None:
        self.epoch = -1  # the first `begin` makes it 0
        self.estimated = False  # whether times of this epoch had to be counted or taken from arrival
        self._live = False
        self._period_s = 1.0 / DEFAULT_FPS
        self._trusted = True  # whether this connection's own times are used
        self._last_t: float | None = None  # stream second of the newest picture, over all epochs
        self._last_arrival_s = 0.0  # and its arrival
        self._hole_s = 0.0  # a believed hole in a file, between two epochs
        self._now = _Epoch(0.0, 0.0)

    def connect(self, *, live: bool, fps: float | None, arrival_s: float, timed: bool = True) -> None:
        """A connection is open, or a file starts (again). `arrival_s`: monotonic seconds.

        `timed`: whether the times that come with it are the source's own, and not made up on the way.
        """
        self._live = live
        self._period_s = 1.0 / (fps or DEFAULT_FPS)
        self._trusted = timed
        self.begin(arrival_s)

    def begin(self, arrival_s: float) -> None:
        """A new epoch. From one live epoch to the next the time that has really passed is kept."""
        self.epoch += 1
        self.estimated = not self._trusted
        base_t = 0.0
        if self._last_t is not None:
            passed_s = arrival_s - self._last_arrival_s if self._live else self._hole_s
            base_t = self._last_t + max(passed_s, self._period_s)
        self._hole_s = 0.0
        self._now = _Epoch(base_t, arrival_s)

    def check(self, decode_s: float | None, arrival_s: float) -> str:
        """Look at the next packet's decoding time. Returns why a new epoch must `begin` before it, or "".

        Decoding times rise in a healthy stream, also where pictures are reordered.
        """
        if decode_s is None or not self._trusted:
            return ""
        now = self._now
        step_s = math.inf if now.newest_decode_s is None else decode_s - now.newest_decode_s
        why = ""
        if _GAP_S < step_s < math.inf:
            self._hole_s = step_s if step_s <= _BELIEVED_GAP_S else 0.0
            why = f"time jumps forward by {step_s:.1f} s"
        elif step_s < -_BACK_S:
            why = f"time jumps back by {-step_s:.1f} s"
        elif step_s > 0.0:
            now.newest_decode_s, now.moved_s, now.n_still = decode_s, arrival_s, 0
            why = self._check_rate(decode_s, arrival_s)
        else:
            now.n_still += 1
            stood_s = arrival_s - now.moved_s if self._live else now.n_still * self._period_s
            if stood_s > _STUCK_S:
                self._trusted = False
                why = "time stands still"
        return why

    def _check_rate(self, decode_s: float, arrival_s: float) -> str:
        """A live source's clock runs as ours does; one that does not is not used any more."""
        now = self._now
        if now.window is None or not self._live:
            now.window = decode_s, arrival_s
            return ""
        passed_s = arrival_s - now.window[1]
        if passed_s < _RATE_WINDOW_S:
            return ""
        rate = (decode_s - now.window[0]) / passed_s
        now.window = decode_s, arrival_s
        if _LEAST_RATE <= rate <= _MOST_RATE:
            return ""
        self._trusted = False
        return f"its clock runs at {rate:.2f} times ours"

    def packet_t(self, present_s: float | None, arrival_s: float) -> float:
        """Stream seconds of a packet; not monotone where pictures are reordered."""
        now = self._now
        if present_s is None or not self._trusted:
            self.estimated = True
            now.packet_t = self._guess(now.packet_t, arrival_s)
            return now.packet_t
        if now.anchor_s is None:
            # Times may begin after packets without one (RTSP: after the first). They go on from the guesses,
            # by at least a period, since the packets of a new connection come in a bunch.
            first_t = self._guess(now.packet_t, arrival_s)
            if now.packet_t is not None:
                first_t = max(first_t, now.packet_t + self._period_s)
            now.anchor_s = present_s - first_t
        now.packet_t = present_s - now.anchor_s
        return now.packet_t

    def frame_t(self, present_s: float | None, arrival_s: float) -> float | None:
        """Stream seconds of a decoded picture, later than any before it; None: leave this picture out.

        Call `packet_t` for its packet first.
        """
        now = self._now
        if present_s is None or not self._trusted or now.anchor_s is None:
            t = self._guess(now.frame_t, arrival_s)
        else:
            t = present_s - now.anchor_s
        if t < now.base_t - _LEAST_S or (self._last_t is not None and t <= self._last_t):
            return None
        now.frame_t = self._last_t = t
        self._last_arrival_s = arrival_s
        return t

    def _guess(self, before_t: float | None, arrival_s: float) -> float:
        """Where time has got to, told by nobody."""
        now = self._now
        if before_t is None:
            return now.base_t
        if self._live and now.anchor_s is None:
            return max(now.base_t + arrival_s - now.begin_s, before_t + _LEAST_S)
        return before_t + self._period_s
