"""How far the host's clock is believed when the age of evidence is judged. A clock that jumped deletes nothing.

The clock is believed while it is within a day of where the last look and the time passed since put it. One that
is further away is believed again when it is back, or has been steady for six hours; one that is more than a year
away, or earlier than this software, is not believed until a person says that it is right (`believe_clock`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)

NEAR = timedelta(days=1)
_STEADY = timedelta(hours=6)  # a machine that is on by day gets there
_FAR = timedelta(days=366)
_MADE = datetime(2024, 1, 1, tzinfo=UTC)  # no right clock says less: one without a battery begins at 1970


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    elapsed_s: float

    def expected(self, elapsed_s: float) -> datetime:
        """What a clock that only runs says now."""
        return self.at + timedelta(seconds=elapsed_s - self.elapsed_s)


class TrustedClock:
    """The host's clock, doubted; `elapsed_s` runs evenly whatever happens to it."""

    def __init__(
        self, clock: Callable[[], datetime], elapsed_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.doubt = ""  # why the clock is not believed, for people; "" when it is
        self._clock, self._elapsed_s = clock, elapsed_s
        self._believed: _Look | None = None
        self._doubted: _Look | None = None  # since when it has been steady where it is not believed

    def begin(self, seen_at: datetime | None) -> None:
        """Go on from the last time that was believed before this start; None: there is none, or it is not to count."""
        self._believed = None if seen_at is None else _Look(seen_at, self._elapsed_s())

    def now(self) -> datetime | None:
        """The time, or None while it is not believed."""
        look = _Look(self._clock(), self._elapsed_s())
        doubt = self._look_at(look)
        if bool(doubt) != bool(self.doubt):
            log.error("clock believed=%s at=%s reason=%s", not doubt, look.at.isoformat(), doubt)
        self.doubt = doubt
        if doubt:
            return None
        self._believed, self._doubted = look, None
        return look.at

    def _look_at(self, look: _Look) -> str:
        """Why this is not believed."""
        if look.at < _MADE:
            return f"the clock says {look.at:%Y-%m-%d}"
        gap = look.at - self._believed.expected(look.elapsed_s) if self._believed else timedelta(0)
        if abs(gap) <= NEAR or (abs(gap) <= _FAR and self._steady(look)):
            return ""
        way = "ahead" if gap > timedelta(0) else "back"
        return f"the clock jumped {abs(gap) / timedelta(days=1):.0f} days {way}"

    def _steady(self, look: _Look) -> bool:
        if self._doubted is None or abs(look.at - self._doubted.expected(look.elapsed_s)) > NEAR:
            self._doubted = look
        return look.elapsed_s - self._doubted.elapsed_s >= _STEADY.total_seconds()
