"""Laws of running and of the wrong way: a speed over the ground, held for a while, whatever the rate and the picture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import BODY_PX, HEIGHT, WIDTH, Person, observation
from support.rules import RATES, opened, play, watch

from detector.calibration import BODY_M
from detector.errors import ConfigError
from detector.lines import Line
from detector.rules.base import View
from detector.rules.pace import Running, RunningParams, WrongWay, WrongWayParams
from detector.types import Alert, Ground
from detector.zones import Zone

LANE = Zone("lane", ((0.0, 0.4), (1.0, 0.4), (1.0, 0.7), (0.0, 0.7)))
IN = Line("way in", ((0.2, 0.5), (0.8, 0.5)))  # to the right of the picture


def going(vx: float, vy: float = 0.0, *, x: float = 300.0, from_s: float = 0.0, until_s: float = 99.0):
    """One person who goes at vx, vy px/s between two times and stands before and after."""

    def crowd(t: float) -> list[Person]:
        gone, moves = min(max(t - from_s, 0), until_s - from_s), from_s <= t < until_s
        return [Person(1, x + vx * gone, 500 + vy * gone, vx * moves, vy * moves)]

    return crowd


def wrong_way(line: Line = IN, **params: Any) -> WrongWay:
    return WrongWay(WrongWayParams(**params), LANE, line)


def times(alerts: list[Alert]) -> list[tuple[str, float, str]]:
    return [(a.phase.value, a.t, a.severity.value) for a in alerts]


def test_a_runner_is_told_with_numbers_and_reason() -> None:
    """Two body heights a second for hold_s is one alert, medium; walking is none."""
    alerts = play(Running(RunningParams(close_s=4), LANE), going(200, from_s=1, until_s=4), 12)
    assert times(alerts) == [("opened", 2.0, "medium"), ("closed", 7.8, "medium")]
    assert alerts[0].reason == (
        "One person has run in 'lane' for 1.0 s at 2.0 body heights a second, 2.0 at most (at least 1.6 for 1 s)"
    )
    assert alerts[0].facts == {"pace_bh_s": 2.0, "max_pace_bh_s": 2.0, "dwell_s": 1.0, "seen_score": 0.9}
    assert [(s.name, s.unit, s.threshold) for s in alerts[0].series] == [("pace_bh_s", "body heights/s", 1.6)]
    assert (alerts[0].zone, alerts[1].facts["end_reason"]) == ("lane", "slower or gone")
    assert play(Running(RunningParams(), LANE), going(120), 6) == []


def test_a_jump_is_no_running() -> None:
    """A track that leaps to somebody else for a moment is too short to be running."""
    assert play(Running(RunningParams()), going(900, from_s=2, until_s=2.6), 8) == []


def test_running_outside_the_zone_is_not_told() -> None:
    """The zone is where the feet are; without one the whole picture counts."""
    below = Zone("below", ((0.0, 0.8), (1.0, 0.8), (1.0, 1.0), (0.0, 1.0)))
    assert play(Running(RunningParams(), below), going(200), 4) == []
    assert len(opened(play(Running(RunningParams()), going(200), 4))) == 1


@pytest.mark.parametrize(("px_s", "n"), [(110, 0), (400, 1)])
def test_a_real_track_runs_or_walks(px_s: int, n: int) -> None:
    """Through tracker and body scale, 0.7 body heights a second is walking and 2.5 is running."""
    path = f"path=0:80,300;{480 / px_s}:560,300 jit=2"
    assert len(opened(watch(Running(RunningParams(hold_s=0.7)), 5, path))) == n


def test_against_the_line_is_the_wrong_way() -> None:
    """Going left where the line points right is told; going right, across, or standing is not."""
    alerts = play(wrong_way(close_s=4), going(-60, x=900, from_s=1, until_s=5), 12)
    assert times(alerts) == [("opened", 2.6, "medium"), ("closed", 8.8, "medium")]
    assert alerts[0].reason == (
        "One person has gone against 'way in' in 'lane' for 1.6 s at 0.6 body heights a second, 0.6 at most "
        "(at least 0.3 for 1.5 s)"
    )
    assert alerts[0].params["line"] == "way in"
    assert (alerts[0].zone, alerts[0].facts["against_bh_s"]) == ("lane", 0.6)
    for vx, vy in ((60, 0), (0, 30), (-10, 0), (-20, 60)):
        assert play(wrong_way(), going(vx, vy, x=640), 4) == []


def test_a_new_id_is_the_same_runner() -> None:
    """A runner whose id changes on the way is one alert (TRK-07)."""

    def crowd(t: float) -> list[Person]:
        return [Person(1 + int(t), 200 + 30 * t, 500, 200)]

    assert len(opened(play(Running(RunningParams()), crowd, 6))) == 1


def test_on_a_calibrated_camera_metres_count() -> None:
    """Where the floor is known in metres, a body height is BODY_M of it, whatever the picture looks like."""
    obs = observation(0.0, [Person(1, 640, 500, 10.0), Person(2, 640, 500, 500.0)])
    speed = np.array([[0.0, 1.7 * BODY_M], [0.5, 0.5]])
    calibrated = replace(obs, ground=Ground(np.zeros((2, 2)), speed))
    assert [f.track_ids for f in Running(RunningParams()).step(View(calibrated, {}))] == [(1,)]
    assert [f.track_ids for f in Running(RunningParams()).step(View(obs, {}))] == [(2,)]


@pytest.mark.parametrize("fps", RATES)
def test_the_rate_moves_the_alert_by_one_period_at_most(fps: float) -> None:
    """At 2, 5 and 25 pictures a second the same runner is told within one period (TRK-09)."""
    (begun, ended) = play(Running(RunningParams()), going(200, from_s=1.3, until_s=4.7), 20, fps=fps)
    assert abs(begun.t - 2.3) <= 1 / fps + 1e-6
    assert abs(ended.t - 14.7) <= 1 / fps + 1e-6
    (begun, ended) = play(wrong_way(), going(-60, x=900, from_s=1.3, until_s=4.7), 20, fps=fps)
    assert abs(begun.t - 2.8) <= 1 / fps + 1e-6
    assert abs(ended.t - 14.7) <= 1 / fps + 1e-6


@settings(max_examples=100, deadline=None)
@given(
    angle=st.floats(0, 2 * math.pi),
    turn=st.floats(0, 2 * math.pi),
    gain=st.floats(1, 4),
    pace=st.floats(0.5, 3),
)
def test_only_the_angle_on_the_ground_decides(angle: float, turn: float, gain: float, pace: float) -> None:
    """On the ground, whoever goes within max_angle_deg of straight against the line is found, nobody else."""
    dx, dy = 0.2 * math.cos(turn), 0.2 * math.sin(turn) / gain * WIDTH / HEIGHT  # turned on the ground
    line = Line("way", ((0.5, 0.5), (0.5 + dx, 0.5 + dy)))
    rule = WrongWay(WrongWayParams(min_against_bh_s=0.01), None, line)
    vx, vy = pace * BODY_PX * math.cos(angle), pace * BODY_PX * math.sin(angle) / gain
    found = rule.step(View(observation(0.0, [Person(1, 640, 480, vx, vy)], gain=gain), {}))
    off = abs((angle - turn - math.pi + math.pi) % (2 * math.pi) - math.pi)  # from straight against
    if abs(off - math.radians(60)) > 0.01:
        assert bool(found) is (off < math.radians(60))


@pytest.mark.parametrize(
    ("kind", "field", "value", "wanted"),
    [
        (RunningParams, "min_pace_bh_s", 0.1, "0.5-10"),
        (RunningParams, "hold_s", 0, "more than 0"),
        (RunningParams, "close_s", 0.1, "at least gap_s"),
        (WrongWayParams, "min_against_bh_s", 0, "more than 0"),
        (WrongWayParams, "max_angle_deg", 91, "more than 0, at most 90"),
        (WrongWayParams, "gap_s", 9, "less than hold_s"),
    ],
)
def test_bad_parameter_is_named(kind, field: str, value: float, wanted: str) -> None:
    """A parameter out of range is refused with its name and what was wanted."""
    with pytest.raises(ConfigError, match=wanted) as caught:
        kind(**{field: value})
    assert field in str(caught.value)
