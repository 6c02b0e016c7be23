"""When a rule is in force: windows of the week by the wall clock of the camera's place. Pure: time is given.

    "Mon-Fri 18:00-06:00"   begins on these days; past midnight it goes on into the next
    "Sat-Sun"               whole days         "Mon,Wed 08:00-12:30"   single days
    "22:00-05:00"           every day          a range of days may wrap: "Fri-Mon"

Half-open: the last minute named is not in it. The clock on the wall decides: a window inside the hour that is
left out in spring does not come on that day, one inside the hour that comes twice in autumn comes twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from detector.errors import ConfigError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_WINDOWS = 50
_DAY_MIN = 24 * 60
_FORM = re.compile(r"(?:(?P<days>[a-z, -]+?))?\s*(?:(?P<start>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d))?")
_WANTED = 'days, times or both, like "Mon-Fri 18:00-06:00"'


@dataclass(frozen=True, slots=True)
class Window:
    """A span of minutes that begins on some days of the week; `end_min` may lie past midnight."""

    days: tuple[int, ...]  # 0 is Monday
    start_min: int  # since midnight
    end_min: int  # > start_min, at most a day later

    def holds(self, day: int, minute: int) -> bool:
        """Say whether a minute of a day of the week is inside."""
        today = day in self.days and self.start_min <= minute < self.end_min
        return today or ((day - 1) % 7 in self.days and minute + _DAY_MIN < self.end_min)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows, as they were written. Raises ConfigError naming the text that is wrong."""

    texts: tuple[str, ...]
    windows: tuple[Window, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.texts) <= MAX_WINDOWS:
            raise ConfigError("no times", wanted=f"1-{MAX_WINDOWS} texts, each {_WANTED}", got="none")
        object.__setattr__(self, "windows", tuple(map(_window, self.texts)))

    def holds(self, at: datetime, zone: tzinfo) -> bool:
        """Say whether the moment `at` (aware) is inside, by the wall clock of `zone`."""
        local = at.astimezone(zone)
        day, minute = local.weekday(), local.hour * 60 + local.minute
        return any(window.holds(day, minute) for window in self.windows)

    def __str__(self) -> str:
        return ", ".join(self.texts)


def _window(text: str) -> Window:
    found = _FORM.fullmatch(text.strip().lower())
    if found is None or not text.strip():
        raise ConfigError("not a time of the week", wanted=_WANTED, got=repr(text))
    days = _days(found["days"], text) if found["days"] else tuple(range(7))
    if found["start"] is None:
        return Window(days, 0, _DAY_MIN)
    start, end = _minute(found["start"], text), _minute(found["end"], text)
    if start in (end, _DAY_MIN):
        raise ConfigError(
            "a window without length", wanted="another end; whole days without times", got=repr(text)
        )
    return Window(days, start, end if end > start else end + _DAY_MIN)


def _days(spans: str, text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for span in spans.split(","):
        ends: Sequence[str] = [end.strip() for end in span.split("-")]
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            raise ConfigError("no such day", wanted="Mon, Tue, Wed, Thu, Fri, Sat, Sun", got=repr(text))
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.update(day % 7 for day in range(first, first + (last - first) % 7 + 1))
    return tuple(sorted(days))


def _minute(clock: str, text: str) -> int:
    hour, minute = int(clock[:2]), int(clock[3:])
    if minute > 59 or hour * 60 + minute > _DAY_MIN:
        raise ConfigError("no such time of day", wanted="00:00-24:00", got=repr(text))
    return hour * 60 + minute
