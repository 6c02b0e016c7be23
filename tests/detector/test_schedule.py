"""Laws of schedules: the clock on the wall of the camera's place decides, also when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import ConfigError
from detector.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")  # clocks change at 01:00 UTC: 2026-03-29 and 2026-10-25
ZONES = [
    ZoneInfo(n) for n in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
]
MOMENTS = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minute: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


def local(text: str, fold: int = 0) -> datetime:
    """A moment by the wall clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("windows", "moment", "inside"),
    [
        (["Mon-Fri 18:00-06:00"], "2026-06-05 18:00", True),  # a Friday
        (["Mon-Fri 18:00-06:00"], "2026-06-05 17:59", False),
        (["Mon-Fri 18:00-06:00"], "2026-06-06 05:59", True),  # Friday's night ends on Saturday
        (["Mon-Fri 18:00-06:00"], "2026-06-06 06:00", False),
        (["Mon-Fri 18:00-06:00"], "2026-06-06 18:00", False),
        (["Mon-Fri 18:00-06:00"], "2026-06-08 05:00", False),  # Sunday's night is none
        (["Mon-Fri 18:00-06:00", "Sat-Sun"], "2026-06-07 12:00", True),
        (["Fri-Mon"], "2026-06-08 23:59", True),
        (["Fri-Mon"], "2026-06-09 00:00", False),
        (["mon,wed 08:00-24:00"], "2026-06-10 23:59", True),
        (["mon,wed 08:00-24:00"], "2026-06-11 00:00", False),
        (["22:00-05:00"], "2026-06-10 04:59", True),
        (["22:00-05:00"], "2026-06-10 05:00", False),
    ],
)
def test_windows_of_the_week(windows: list[str], moment: str, inside: bool) -> None:
    """Days name the day a window begins on; its end is not in it; days and times may each be left out."""
    assert Schedule(tuple(windows)).holds(local(moment), BERLIN) is inside


def test_the_hour_left_out_in_spring_does_not_come() -> None:
    """A window inside the hour that clocks leave out holds at no moment of that day."""
    window = Schedule(("02:15-02:45",))
    night = [local("2026-03-29 00:00") + timedelta(minutes=5 * k) for k in range(60)]
    assert not any(window.holds(at, BERLIN) for at in night)
    assert window.holds(local("2026-03-30 02:15"), BERLIN)


def test_the_hour_that_comes_twice_in_autumn_counts_twice() -> None:
    """A window inside the repeated hour holds in both of them."""
    window = Schedule(("02:15-02:45",))
    first, second = local("2026-10-25 02:30"), local("2026-10-25 02:30", fold=1)
    assert second - first == timedelta(hours=1)
    assert window.holds(first, BERLIN)
    assert window.holds(second, BERLIN)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 11), ("2026-10-24", 13), ("2026-06-05", 12)])
def test_a_night_over_a_change_of_clocks_has_no_hole(day: str, hours: int) -> None:
    """18:00-06:00 is one stretch that begins and ends by the wall clock, an hour shorter or longer."""
    night, start = Schedule(("18:00-06:00",)), local(f"{day} 12:00")
    inside = [night.holds(start + timedelta(minutes=k), BERLIN) for k in range(24 * 60)]
    first = inside.index(True)
    assert inside[first:].index(False) == sum(inside) == hours * 60


@given(
    at=MOMENTS,
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 1439),
    length=st.integers(1, 1439),
    first=st.integers(0, 6),
    n_days=st.integers(1, 7),
)
def test_a_window_is_what_its_minutes_say(
    at: datetime, zone: ZoneInfo, start: int, length: int, first: int, n_days: int
) -> None:
    """A moment is inside exactly if its wall-clock minute is one of the `length` after a start on a named day."""
    end = (start + length) % 1440
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    text = f"{names[first]}-{names[(first + n_days - 1) % 7]} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    local = at.astimezone(zone)
    now = local.weekday() * 1440 + local.hour * 60 + local.minute
    starts = [((first + k) % 7) * 1440 + start for k in range(n_days)]
    assert Schedule((text,)).holds(at, zone) is any((now - s) % (7 * 1440) < length for s in starts)


@given(at=MOMENTS, zone=st.sampled_from(ZONES), minute=st.integers(1, 1439))
def test_day_and_night_are_never_both(at: datetime, zone: ZoneInfo, minute: int) -> None:
    """A window and the rest of the day share no moment and leave none out."""
    clock = f"{minute // 60:02}:{minute % 60:02}"
    day, night = Schedule((f"00:00-{clock}",)), Schedule((f"{clock}-24:00",))
    assert day.holds(at, zone) is not night.holds(at, zone)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a time of the week"),
        ("Mon-Fri 8:00-9:00", "not a time of the week"),
        ("Mon 18:00", "not a time of the week"),
        ("Mond", "no such day"),
        ("Mon-Tue-Wed", "no such day"),
        ("Mon,,Wed", "no such day"),
        ("25:00-26:00", "no such time of day"),
        ("10:60-11:00", "no such time of day"),
        ("10:00-10:00", "without length"),
        ("24:00-06:00", "without length"),
    ],
)
def test_what_is_no_window_is_refused(text: str, said: str) -> None:
    """A text that is no window is refused with itself and what was wanted."""
    with pytest.raises(ConfigError, match=said) as caught:
        Schedule((text,))
    assert repr(text) in str(caught.value)


def test_no_windows_at_all_are_refused() -> None:
    """An empty list would be a rule that is never in force."""
    with pytest.raises(ConfigError, match="no times"):
        Schedule(())
