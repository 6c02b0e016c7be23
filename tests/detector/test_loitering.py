"""Laws of loitering: each stay in the zone counts from its own beginning, whatever happens to the track's id."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import Person
from support.rules import RATES, Z, opened, play, watch

from detector.errors import ConfigError
from detector.rules.loitering import Loitering, LoiteringParams
from detector.types import Phase
from detector.zones import Zone

YARD = Zone("yard", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
IN, OUT = Person(1, 640), Person(1, 100)
FOUR = LoiteringParams(hold_s=4, close_s=5)


def test_who_stays_is_told_with_numbers_and_reason() -> None:
    """A person who stays for hold_s is one alert, medium, that closes close_s after they left."""
    alerts = play(
        Loitering(LoiteringParams(hold_s=10, close_s=6), YARD), lambda t: [IN if t < 15 else OUT], 40
    )
    assert [(a.phase.value, a.t, a.severity.value) for a in alerts] == [
        ("opened", 10.0, "medium"),
        ("closed", 20.8, "medium"),
    ]
    assert alerts[0].reason == (
        "One person has been in 'yard' for 10 s (at least 10 s), usual speed 0.0 body heights a second"
    )
    assert alerts[0].facts == {"speed_bh_s": 0.0, "dwell_s": 10.0, "seen_score": 0.9}
    assert alerts[0].params == {"hold_s": 10, "grace_s": 0.5, "gap_s": 2.0, "close_s": 6}
    assert (alerts[0].track_ids, alerts[0].zone, alerts[1].facts["end_reason"]) == ((1,), "yard", "left")
    assert alerts[0].box == (620.0, 400.0, 660.0, 500.0)


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0])
def test_two_stays_are_not_one(fps: float) -> None:
    """3.3 s inside, 5 s outside and 2.8 s inside are no 4 s of loitering (TRK-12)."""
    walk = "path=0:480,450;3:480,450;3.5:600,450;8:600,450;8.5:480,450;11:480,450"
    assert watch(Loitering(FOUR, Z), 11, walk, fps=fps) == []


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0])
def test_a_step_outside_is_forgiven(fps: float) -> None:
    """Outside for less than the exit grace, the stay goes on: one alert at 4 s (TRK-12)."""
    step = "path=0:540,450;3:540,450;3.2:570,450;3.4:540,450;8:540,450"
    alerts = opened(watch(Loitering(FOUR, Z), 8, step, fps=fps))
    assert len(alerts) == 1
    assert alerts[0].t == pytest.approx(4.0, abs=2 / fps)  # the tracker tells a person at their second hit


def test_a_second_outside_is_another_stay() -> None:
    """Seen outside for longer than the grace, a stay is over, though a person may be unseen for longer than that."""
    rule = Loitering(FOUR, YARD)
    alerts = opened(play(rule, lambda t: [OUT if 3 <= t < 4 else IN], 12))
    assert [a.started_t for a in alerts] == [4.0]
    assert [a.t for a in alerts] == [8.0]


@pytest.mark.parametrize("hide", ["hide=4-4.5", "low=4-5@0.2"])
def test_a_short_miss_does_not_restart_the_time(hide: str) -> None:
    """A person missed for half a second, or seen weakly, is one alert at the time it would have been (TRK-07)."""
    rule = Loitering(LoiteringParams(hold_s=6, close_s=8), Z)
    alerts = opened(watch(rule, 10, f"path=0:150,400;10:450,400 {hide}"))
    assert [a.t for a in alerts] == [pytest.approx(6.0, abs=0.2)]


def test_a_new_id_in_the_same_place_goes_on_with_the_stay() -> None:
    """If the id changes after a miss all the same, the stay is not restarted and not told twice (TRK-07)."""

    def crowd(t: float) -> list[Person]:
        return [] if 2 <= t < 2.6 or 5 <= t < 5.6 else [replace(IN, id=1 + int(t / 2.5))]

    alerts = opened(play(Loitering(FOUR, YARD), crowd, 9))
    assert [a.t for a in alerts] == [4.0]


def test_coming_back_while_the_alert_is_open_is_the_same_alert() -> None:
    """Who was told, steps out for longer than the grace and comes back before it closes is not told again."""
    crowd = [(0, IN), (6, OUT), (8, IN), (14, OUT)]
    alerts = play(Loitering(FOUR, YARD), lambda t: [p for at, p in crowd if at <= t][-1:], 30)
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.CLOSED]


def test_everybody_has_a_stay_of_their_own() -> None:
    """Two people who come at different times are two alerts, each hold_s after its own person came."""
    other = Person(2, 500)
    alerts = opened(play(Loitering(FOUR, YARD), lambda t: [IN, other] if t >= 2 else [IN], 10))
    assert [(a.t, a.track_ids) for a in alerts] == [(4.0, (1,)), (6.0, (2,))]


@pytest.mark.parametrize("fps", RATES)
def test_the_rate_moves_the_alert_by_one_period_at_most(fps: float) -> None:
    """At 2, 5 and 25 pictures a second the same stay is told within one period (TRK-09)."""
    rule = Loitering(LoiteringParams(hold_s=6, close_s=8), YARD)
    begun, ended = play(rule, lambda t: [IN] if 1.3 <= t < 12 else [OUT], 30, fps=fps)
    assert abs(begun.t - 7.3) <= 1 / fps + 1e-6
    assert abs(ended.t - (12 + 8)) <= 1 / fps + 1e-6


@settings(max_examples=60, deadline=None)
@given(stays=st.lists(st.tuples(st.integers(3, 40), st.integers(3, 40)), min_size=1, max_size=6))
def test_an_alert_needs_one_stay_that_is_long_enough(stays: list[tuple[int, int]]) -> None:
    """With every time outside longer than grace and close, there is an alert for each stay of hold_s, no other."""
    script = [here for inside, outside in stays for here in [True] * inside + [False] * (outside + 30)]
    alerts = opened(
        play(Loitering(FOUR, YARD), lambda t: [IN if script[round(t * 5)] else OUT], len(script) / 5)
    )
    assert len(alerts) == sum((inside - 1) / 5 >= 4 for inside, _ in stays)  # n pictures span n - 1 periods


def test_a_reset_forgets_everybody() -> None:
    """After a new epoch a stay begins anew."""
    rule = Loitering(FOUR, YARD)
    assert opened(play(rule, lambda t: [IN], 3.9)) == []
    rule.reset()
    assert [a.t for a in opened(play(rule, lambda t: [IN], 6))] == [4.0]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("hold_s", 0, "more than 0"),
        ("gap_s", 70, "less than hold_s"),
        ("close_s", 1, "at least gap_s"),
        ("grace_s", 3, "0-2"),
        ("grace_s", -1, "0-2"),
    ],
)
def test_bad_parameter_is_named(field: str, value: float, wanted: str) -> None:
    """A parameter out of range is refused with its name, what was wanted and what was got."""
    with pytest.raises(ConfigError, match=wanted) as caught:
        LoiteringParams(**{field: value})
    assert field in str(caught.value)
