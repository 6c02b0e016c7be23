"""Laws of occupancy and of forbidden zones: heads are counted where their feet are, whoever they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person, row_of
from support.rules import RATES, Z, opened, play, watch

from detector.errors import ConfigError
from detector.rules.base import Rule
from detector.rules.occupancy import Forbidden, ForbiddenParams, Occupancy, OccupancyParams
from detector.types import Alert, Phase
from detector.zones import Zone

HALL = Zone("hall", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
THREE = OccupancyParams(min_people=3, hold_s=5, gap_s=1, close_s=6)


def told(alerts: Sequence[Alert]) -> list[tuple[str, float, str]]:
    return [(a.phase.value, a.t, a.severity.value) for a in alerts]


def test_enough_people_are_told_with_numbers_and_reason() -> None:
    """Three strangers far apart in the zone for hold_s are one alert, medium, whoever they are."""
    alerts = play(
        Occupancy(THREE, HALL), lambda t: row_of(4 if t > 3 else 3, x=350, apart=150) if t < 9 else [], 20
    )
    assert told(alerts) == [("opened", 5.0, "medium"), ("closed", 14.8, "medium")]
    assert alerts[0].reason == "Up to 4 people have been in 'hall' at once for 5 s (at least 3 for 5 s)"
    assert alerts[1].facts == {
        "n_people_min": 3,
        "n_people_median": 4,
        "n_people_max": 4,
        "dwell_s": 8.8,
        "seen_score": 0.9,
        "end_reason": "fewer people",
    }
    assert [(s.name, s.unit, s.threshold) for s in alerts[0].series] == [("n_people", "people", 3.0)]


def test_two_inside_and_one_outside_are_too_few() -> None:
    """Who stands outside does not count; in the whole picture all count."""
    crowd = [*row_of(2, x=400), Person(3, 100)]
    assert play(Occupancy(THREE, HALL), lambda t: crowd, 10) == []
    assert len(opened(play(Occupancy(THREE), lambda t: crowd, 10))) == 1


def test_a_count_that_hovers_is_one_alert() -> None:
    """A third person missed for half of every second is one alert, opened once and closed once (TRK-05)."""
    hide = ",".join(f"{t}-{t + 0.5}" for t in range(5, 19))
    people = [f"path=0:{x},450;40:{x},450" for x in (200, 400)]
    rule = Occupancy(OccupancyParams(min_people=3, hold_s=3, gap_s=1, close_s=5), Z)
    alerts = watch(rule, 40, *people, f"path=0:300,450;40:300,450 hide={hide}")
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.CLOSED]


def test_a_person_is_in_one_of_two_neighbouring_zones() -> None:
    """On the way from one zone to its neighbour somebody is in exactly one of them at any time (TRK-01)."""
    left = Zone("L", ((0.125, 0.3), (0.5, 0.3), (0.5, 1), (0.125, 1)))
    right = Zone("R", ((0.5, 0.3), (0.875, 0.3), (0.875, 1), (0.5, 1)))
    rules: list[Rule] = [
        Occupancy(OccupancyParams(min_people=1, hold_s=1, gap_s=0.5), z) for z in (left, right)
    ]
    walk = "path=0:200,400;12:440,400"
    (l_open, l_close), (r_open, _) = (watch(rule, 12, walk) for rule in rules)
    assert l_close.started_t == l_open.started_t
    assert l_open.started_t + float(l_close.facts["dwell_s"]) < r_open.started_t


def test_somebody_cut_by_the_lower_edge_counts() -> None:
    """A person whose feet are below the picture is in a zone that reaches its edge (TRK-02)."""
    floor = Zone("floor", ((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
    alerts = watch(Forbidden(ForbiddenParams(), floor), 5, "path=0:320,560;5:320,600 wh=60x160")
    assert len(opened(alerts)) == 1


@pytest.mark.parametrize(
    "make", [lambda zone: Forbidden(ForbiddenParams(), zone), lambda zone: Occupancy(THREE, zone)]
)
def test_the_same_alerts_at_half_the_picture_size(make) -> None:
    """Zones are 0-1: a picture of half the size gives the same alerts (TRK-03)."""
    big = play(make(HALL), lambda t: row_of(3), 12)
    small = play(make(HALL), lambda t: row_of(3, x=250, y=250, apart=30), 12, size=(WIDTH // 2, HEIGHT // 2))
    assert told(big) == told(small)
    assert len(big) == 2


def test_the_notch_of_a_zone_is_outside() -> None:
    """Somebody in the notch of a U-shaped forbidden zone is not in it (TRK-11)."""
    u = Zone(
        "u", ((0.2, 0.2), (0.4, 0.2), (0.4, 0.7), (0.6, 0.7), (0.6, 0.2), (0.8, 0.2), (0.8, 0.9), (0.2, 0.9))
    )
    assert play(Forbidden(ForbiddenParams(), u), lambda t: [Person(1, 0.5 * WIDTH, 0.5 * HEIGHT)], 6) == []
    assert len(opened(play(Forbidden(ForbiddenParams(), u), lambda t: [Person(1, 0.3 * WIDTH)], 6))) == 1


def test_anyone_in_a_forbidden_zone_is_told_at_high_severity() -> None:
    """One person inside for hold_s is an alert; a second who joins is the same one."""
    alerts = play(
        Forbidden(ForbiddenParams(close_s=4), HALL), lambda t: row_of(2 if t > 4 else 1) if t < 8 else [], 20
    )
    assert told(alerts) == [("opened", 2.0, "high"), ("closed", 11.8, "high")]
    assert alerts[0].reason == "One person has been in 'hall', where nobody may be, for 2 s (at least 2 s)"
    assert alerts[1].reason == "Up to 2 people were in 'hall', where nobody may be, for 8 s (at least 2 s)"
    assert (alerts[0].rule, alerts[1].facts["end_reason"]) == ("forbidden", "left")


def test_who_stands_there_and_is_lost_for_a_while_is_one_intrusion() -> None:
    """Two alerts in 240 s: only the gap of 122 s ends the first (TRK-06)."""
    rule = Forbidden(ForbiddenParams(hold_s=3, close_s=60), Z)
    alerts = opened(watch(rule, 240, "path=0:300,450;240:300,450 hide=20-26,50-58,80-95,110-232", fps=5))
    assert len(alerts) == 2
    assert alerts[1].t > 232


@pytest.mark.parametrize("fps", RATES)
def test_the_rate_moves_the_alert_by_one_period_at_most(fps: float) -> None:
    """At 2, 5 and 25 pictures a second the same crowd is told within one period (TRK-09)."""
    begun, ended = play(Occupancy(THREE, HALL), lambda t: row_of(3) if 1.3 <= t < 9 else [], 25, fps=fps)
    assert abs(begun.t - 6.3) <= 1 / fps + 1e-6
    assert abs(ended.t - 15) <= 1 / fps + 1e-6


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=60), seed=st.integers(0, 1000))
def test_only_the_count_decides(counts: list[int], seed: int) -> None:
    """Other ids and other places inside the zone give the same alerts."""

    def steady(t: float) -> list[Person]:
        return row_of(counts[min(int(t), len(counts) - 1)], x=400, apart=40)

    def other(t: float) -> list[Person]:
        first = 1 + int(t * 5) * (seed % 7)
        return row_of(counts[min(int(t), len(counts) - 1)], first_id=first, x=330 + seed % 300, apart=50)

    n_s = len(counts)
    assert told(play(Occupancy(THREE, HALL), steady, n_s)) == told(play(Occupancy(THREE, HALL), other, n_s))


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("min_people", 0, "1-500"),
        ("min_people", 2.5, "a count"),
        ("hold_s", 0, "more than 0"),
        ("gap_s", 20, "less than hold_s"),
        ("close_s", 1, "at least gap_s"),
    ],
)
def test_bad_parameter_is_named(field: str, value: float, wanted: str) -> None:
    """A parameter out of range is refused with its name, what was wanted and what was got."""
    with pytest.raises(ConfigError, match=wanted) as caught:
        OccupancyParams(**{field: value})
    assert field in str(caught.value)
    if field != "min_people":
        with pytest.raises(ConfigError, match=field):
            ForbiddenParams(**{field: value if field != "close_s" else 0.5})
