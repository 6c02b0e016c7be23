"""Laws of line crossing: over the line, between its points, in the wanted direction, and to stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import HEIGHT, WIDTH, Person
from support.rules import RATES, opened, play, watch

from detector.errors import ConfigError
from detector.lines import Line
from detector.rules.crossing import Crossing, CrossingParams
from detector.types import Alert, Phase

# Drawn to the right of the picture: its right side is below it.
DOOR = Line("door", ((0.3, 0.5), (0.7, 0.5)))
Y = 0.5 * HEIGHT


def crossing(**params: Any) -> Crossing:
    return Crossing(CrossingParams(**params), DOOR)


def walk(*ys: float, x: float = 0.5 * WIDTH, fps: float = 5.0, **params: Any) -> list[Alert]:
    """One person at these heights (px below the line), one for each picture, then staying at the last."""

    def crowd(t: float) -> list[Person]:
        return [Person(1, x, Y + ys[min(round(t * fps), len(ys) - 1)])]

    return play(crossing(**params), crowd, len(ys) / fps + 8, fps=fps)


def ways(alerts: Sequence[Alert]) -> list[object]:
    return [alert.facts["direction"] for alert in opened(alerts)]


def test_a_crossing_is_one_alert_with_its_direction() -> None:
    """Somebody who goes over the line and stays beyond for hold_s is one alert, low, that closes by itself."""
    alerts = walk(-30, -10, 10, 30, 50)
    assert [(a.phase.value, a.t, a.severity.value) for a in alerts] == [
        ("opened", 1.4, "low"),
        ("closed", 6.4, "low"),
    ]
    assert alerts[0].reason == "One person crossed 'door' to the right and stayed there for 1 s"
    assert (alerts[0].zone, alerts[0].started_t, alerts[0].track_ids) == ("door", 0.4, (1,))
    assert alerts[1].facts["end_reason"] == "crossed"


@pytest.mark.parametrize(
    ("direction", "seen"),
    [("both", ["to the right", "to the left"]), ("to_right", ["to the right"]), ("to_left", ["to the left"])],
)
def test_only_the_wanted_direction_is_told(direction: str, seen: list[str]) -> None:
    """There and back again is one crossing each way; the rule tells those that are wanted."""
    assert ways(walk(*[-30] * 5, *[30] * 10, *[-30] * 10, direction=direction)) == seen


def test_round_the_end_is_no_crossing() -> None:
    """Who changes sides beyond the line's points has not crossed it, and is then on the other side."""
    assert walk(-30, 30, 30, x=0.2 * WIDTH) == []

    def round_and_over(t: float) -> list[Person]:
        return [
            Person(
                1,
                *(
                    (0.2 * WIDTH, Y - 30)
                    if t < 1
                    else (0.2 * WIDTH, Y + 30)
                    if t < 2
                    else (0.5 * WIDTH, Y + 30)
                    if t < 3
                    else (0.5 * WIDTH, Y - 30)
                ),
            )
        ]

    assert ways(play(crossing(), round_and_over, 12)) == ["to the left"]


def test_wobbling_on_the_line_tells_nothing() -> None:
    """Over the line and back before hold_s, ten times, is no crossing in either direction."""
    assert walk(*([-10] + [10] * 4) * 10, -10) == []


def test_flicker_near_the_line_is_one_crossing() -> None:
    """A person who jitters and flickers over the line is one "in" and no "out" (TRK-04)."""
    line = Line("line", ((0.125, 500 / 640), (0.875, 500 / 640)))
    alerts = watch(Crossing(CrossingParams(), line), 10, "path=0:320,380;10:320,460 jit=4 hide=4.8-5,5.2-5.3")
    assert ways(alerts) == ["to the right"]


def test_a_new_id_does_not_lose_the_crossing() -> None:
    """Somebody whose id changes on the line while they are missed for half a second has still crossed (TRK-07)."""

    def crowd(t: float) -> list[Person]:
        return [] if 2 <= t < 2.5 else [Person(1 if t < 2 else 2, 640, Y + (t - 2.2) * 40)]

    assert ways(play(crossing(), crowd, 10)) == ["to the right"]


def test_a_place_that_is_only_expected_does_not_cross() -> None:
    """A track that coasts over the line and is not seen there has not crossed it."""
    person = "path=0:320,380;2:320,416;4:320,452 hide=2.2-9"  # its feet end short of y = 500 px
    line = Line("line", ((0.125, 500 / 640), (0.875, 500 / 640)))
    assert watch(Crossing(CrossingParams(), line), 4, person) == []


def test_many_people_cross_each_for_themselves() -> None:
    """Three people who cross one after the other are three alerts."""

    def crowd(t: float) -> list[Person]:
        return [Person(i, 500 + 100 * i, Y + (t - 2 * i) * 50) for i in (1, 2, 3)]

    alerts = opened(play(crossing(), crowd, 15))
    assert [a.track_ids for a in alerts] == [(1,), (2,), (3,)]


@pytest.mark.parametrize("fps", RATES)
def test_the_rate_moves_the_alert_by_one_period_at_most(fps: float) -> None:
    """At 2, 5 and 25 pictures a second the same crossing is told within one period (TRK-09)."""
    (begun, ended) = play(crossing(), lambda t: [Person(1, 640, Y + (t - 3.3) * 50)], 14, fps=fps)
    assert abs(begun.t - 4.3) <= 1 / fps + 1e-6
    assert begun.phase is Phase.OPENED
    assert abs(ended.t - 9.3) <= 1 / fps + 1e-6


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from([-30, 30]), st.integers(1, 12)), min_size=1, max_size=12))
def test_crossings_are_the_stays_that_changed_sides(steps: list[tuple[int, int]]) -> None:
    """Whatever the wobbling, crossings alternate, and are the changes between stays of at least hold_s."""
    script = [y for y, n in steps for _ in range(n)]
    lengths: list[tuple[int, int]] = []
    for y in script:
        lengths = (
            [*lengths[:-1], (y, lengths[-1][1] + 1)]
            if lengths and lengths[-1][0] == y
            else [*lengths, (y, 1)]
        )
    lengths[-1] = (lengths[-1][0], 99)  # the last stays
    side, wanted = lengths[0][0], []
    for y, n in lengths:
        if y != side and n > 5:  # n pictures span (n - 1) / 5 s
            side = y
            wanted.append("to the right" if y > 0 else "to the left")
    assert ways(walk(*script)) == wanted


def test_a_reset_forgets_the_sides() -> None:
    """After a new epoch somebody who appears on the other side has not crossed."""
    rule = crossing()
    play(rule, lambda t: [Person(1, 640, Y - 30)], 2)
    rule.reset()
    assert play(rule, lambda t: [Person(1, 640, Y + 30)], 4) == []


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("direction", "up", "both, to_right, to_left"),
        ("hold_s", 0, "more than 0"),
        ("gap_s", 2, "less than hold_s"),
        ("close_s", 0.1, "at least gap_s"),
    ],
)
def test_bad_parameter_is_named(field: str, value: object, wanted: str) -> None:
    """A parameter that is wrong is refused with its name and what was wanted."""
    with pytest.raises(ConfigError, match=wanted) as caught:
        replace(CrossingParams(), **{field: value})
    assert field in str(caught.value)
