"""Laws of episodes: hold, release, repeat; every alert opens once and closes once, at any frame rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.people import stamp

from detector.episodes import Episodes
from detector.errors import ConfigError
from detector.rules.base import MAX_POINTS, History, Summary, Timing, View
from detector.types import SEVERITY_ORDER, Alert, Fact, Finding, Phase, Severity

RUN = UUID(int=7)
LEVELS = sorted(SEVERITY_ORDER, key=SEVERITY_ORDER.__getitem__)


class PlainRule:
    """A rule whose findings the test makes itself."""

    name = "plain"
    version = 3
    ended = "over"
    links_bh = ()

    def __init__(
        self, *, hold_s: float = 5, gap_s: float = 1, close_s: float = 10, zone: str = "lawn"
    ) -> None:
        self.zone = zone
        self.timing = Timing(hold_s=hold_s, gap_s=gap_s, close_s=close_s)
        self.params: Mapping[str, Fact] = {"hold_s": hold_s}

    def step(self, view: View) -> list[Finding]:
        return []

    def severity(self, finding: Finding, dwell_s: float) -> Severity:
        return Severity.HIGH if dwell_s > 1000 else finding.severity

    def summary(self, history: History, phase: Phase) -> Summary:
        facts: dict[str, Fact] = {"dwell_s": history.dwell_s, "n": int(history.latest("n")), "third": 1 / 3}
        return Summary(
            facts, (history.series("n", "people", 2.0),), 2 / 3, f"{phase.value} {history.dwell_s:.1f}"
        )

    def reset(self) -> None:
        """Nothing to forget."""


def hit(key: str = "a", *, severity: Severity = Severity.MEDIUM, n: int = 3) -> Finding:
    return Finding(
        "plain", key, "lawn", (1, 2, 3), 0.5, severity, {"n": n, "word": "x"}, (1.00004, 2, 3, -0.00001)
    )


def play(
    rule: PlainRule,
    until_s: float,
    found: Callable[[float], Sequence[Finding]],
    *,
    fps: float = 5.0,
    end: str = "source ended",
) -> list[Alert]:
    """Feed what `found` says at each picture; end at last."""
    episodes = Episodes(RUN, "cam", [rule])
    alerts: list[Alert] = []
    for k in range(round(until_s * fps)):
        t = k / fps
        alerts += episodes.step(stamp(t), [found(t)])
    return alerts + episodes.end(end)


def phases(alerts: Sequence[Alert]) -> list[tuple[str, float]]:
    return [(a.phase.value, a.t) for a in alerts]


def test_opens_after_hold_and_closes_after_the_last_hit() -> None:
    """A condition true from 2 s to 12 s opens at 2 + hold_s and closes close_s after its last hit."""
    alerts = play(PlainRule(), 40, lambda t: [hit()] if 2 <= t <= 12 else [])
    assert phases(alerts) == [("opened", 7.0), ("closed", 22.0)]
    opened, closed = alerts
    assert (opened.started_t, closed.started_t) == (2.0, 2.0)
    assert (opened.at - opened.started_at).total_seconds() == pytest.approx(5.0)
    assert (opened.revision, closed.revision) == (0, 1)
    assert closed.facts["end_reason"] == "over"
    assert "end_reason" not in opened.facts
    assert closed.facts["dwell_s"] == 10.0


def test_short_is_no_alert_and_a_gap_starts_anew() -> None:
    """True for less than hold_s says nothing; a gap over gap_s starts anew; one within it does not."""
    assert play(PlainRule(), 20, lambda t: [hit()] if 2 <= t < 6.9 else []) == []
    long_gap = play(PlainRule(), 12, lambda t: [] if 3 <= t < 4.3 else [hit()])
    assert phases(long_gap)[0] == ("opened", 9.4)
    short_gap = play(PlainRule(), 12, lambda t: [] if 3 <= t < 3.7 else [hit()])
    assert phases(short_gap)[0] == ("opened", 5.0)


def test_two_stays_are_not_one() -> None:
    """Stays of 3.3 s and 2.8 s at a hold of 4 s are no alert; 0.13 s away, within the gap, is one stay."""
    rule = PlainRule(hold_s=4, gap_s=0.5)
    assert play(rule, 11, lambda t: [hit()] if t < 3.3 or t >= 8.2 else [], fps=25) == []
    alerts = play(rule, 8, lambda t: [] if 3.1 <= t < 3.23 else [hit()], fps=25)
    assert phases(alerts) == [("opened", 4.0), ("closed", 7.96)]


def test_hovering_at_the_threshold_is_one_alert() -> None:
    """A third person hidden for half of every second for 14 s gives one alert, open once, closed once."""
    alerts = play(
        PlainRule(hold_s=4, gap_s=0.6, close_s=5),
        60,
        lambda t: [hit()] if t < 40 and not (5 <= t < 19 and t % 1 < 0.5) else [],
    )
    assert phases(alerts) == [("opened", 4.0), ("closed", 44.8)]


def test_back_after_the_end_is_a_second_alert_after_a_new_hold() -> None:
    """Away longer than close_s and back: a second alert with an id of its own, not before hold_s again."""
    alerts = play(PlainRule(), 60, lambda t: [hit()] if t < 8 or t >= 30 else [])
    assert phases(alerts) == [("opened", 5.0), ("closed", 17.8), ("opened", 35.0), ("closed", 59.8)]
    assert alerts[0].alert_id == alerts[1].alert_id != alerts[2].alert_id


def test_back_before_the_end_is_the_same_alert() -> None:
    """Away longer than gap_s but less than close_s keeps the alert open."""
    alerts = play(PlainRule(), 60, lambda t: [hit()] if t < 8 or 14 <= t < 20 else [])
    assert phases(alerts) == [("opened", 5.0), ("closed", 29.8)]


def test_a_late_first_hit_after_the_end_closes_first() -> None:
    """When the next picture comes long after, the old alert closes and a new hold begins with that hit."""
    episodes = Episodes(RUN, "cam", [PlainRule()])
    for k in range(30):
        episodes.step(stamp(k * 0.2), [[hit()]])
    assert phases(episodes.step(stamp(500.0), [[hit()]])) == [("closed", 500.0)]
    assert episodes.end("service stopped") == []


def test_escalation_is_told_once_it_lasts() -> None:
    """A higher severity that lasts gap_s is an UPDATED; a shorter one is not told."""
    alerts = play(PlainRule(), 30, lambda t: [hit(severity=Severity.HIGH if t >= 10 else Severity.MEDIUM)])
    assert [(a.phase.value, a.t, a.severity) for a in alerts] == [
        ("opened", 5.0, Severity.MEDIUM),
        ("updated", 11.0, Severity.HIGH),
        ("closed", 29.8, Severity.HIGH),
    ]
    blip = play(
        PlainRule(), 30, lambda t: [hit(severity=Severity.HIGH if 10 <= t < 10.8 else Severity.MEDIUM)]
    )
    assert [a.phase for a in blip] == [Phase.OPENED, Phase.CLOSED]


def test_falling_severity_is_told_only_when_it_stays() -> None:
    """A lower severity is an UPDATED after hold_s, and the closed alert keeps the worst it was."""
    alerts = play(PlainRule(), 40, lambda t: [hit(severity=Severity.LOW if t >= 10 else Severity.HIGH)])
    assert [(a.phase.value, a.t, a.severity) for a in alerts] == [
        ("opened", 5.0, Severity.HIGH),
        ("updated", 15.0, Severity.LOW),
        ("closed", 39.8, Severity.HIGH),
    ]


def test_a_band_that_flickers_does_not_spam() -> None:
    """A severity that changes every two seconds for five minutes gives one UPDATED, not a hundred."""
    alerts = play(
        PlainRule(), 300, lambda t: [hit(severity=Severity.HIGH if t % 4 >= 2 and t > 6 else Severity.MEDIUM)]
    )
    assert [a.phase for a in alerts] == [Phase.OPENED, Phase.UPDATED, Phase.CLOSED]


def test_lasting_long_raises_the_severity_through_the_rule() -> None:
    """The rule grades by how long it has lasted: the change is an UPDATED."""
    alerts = play(PlainRule(), 1100, lambda t: [hit()], fps=2)
    assert [(a.phase, a.severity) for a in alerts][1] == (Phase.UPDATED, Severity.HIGH)


def test_end_closes_what_is_open_and_forgets_what_forms() -> None:
    """The end closes every open alert at the last picture with its reason; half a hold is not told."""
    episodes = Episodes(RUN, "cam", [PlainRule()])
    assert episodes.end("service stopped") == []
    for k in range(31):
        t = k * 0.2
        episodes.step(stamp(t), [[hit("a"), *([hit("b")] if t > 3 else [])]])
    closed = episodes.end("service stopped")
    assert [(a.phase, a.t, a.facts["end_reason"]) for a in closed] == [(Phase.CLOSED, 6.0, "service stopped")]
    assert episodes.end("service stopped") == []


def test_two_rules_of_one_kind_and_zone_keep_apart() -> None:
    """Two rules of the same name, zone and key are two alerts with two ids."""
    episodes = Episodes(RUN, "cam", [PlainRule(), PlainRule(hold_s=6)])
    alerts = [a for k in range(40) for a in episodes.step(stamp(k * 0.2), [[hit()], [hit()]])]
    assert phases(alerts) == [("opened", 5.0), ("opened", 6.0)]
    assert alerts[0].alert_id != alerts[1].alert_id


def test_ids_are_the_same_in_a_replay_and_differ_between_runs_and_cameras() -> None:
    """alert_id is a function of run, camera and what happened."""

    def ids(run: UUID, camera: str) -> list[UUID]:
        episodes = Episodes(run, camera, [PlainRule()])
        return [a.alert_id for k in range(40) for a in episodes.step(stamp(k * 0.2), [[hit()]])]

    assert ids(RUN, "cam") == ids(RUN, "cam")
    assert len({*ids(RUN, "cam"), *ids(UUID(int=8), "cam"), *ids(RUN, "cam2")}) == 3


def test_numbers_are_readable() -> None:
    """Every float of an alert has three decimals at most, and zero has no sign."""
    alert = play(PlainRule(), 10, lambda t: [hit()], fps=7)[0]
    assert alert.facts["third"] == 0.333
    assert alert.score == 0.667
    assert [str(v) for v in alert.box] == ["1.0", "2.0", "3.0", "0.0"]
    assert all(t == round(t, 3) for t in (alert.t, alert.started_t, *alert.series[0].t))


@pytest.mark.parametrize(
    ("times", "names"),
    [
        ((5, 5, 10), ("gap_s", "less than hold_s", "got 5")),
        ((5, 6, 10), ("gap_s",)),
        ((0, 1, 10), ("hold_s", "more than 0")),
        ((5, 0, 10), ("gap_s", "more than 0")),
        ((5, 2, 1), ("close_s", "at least gap_s")),
        ((math.nan, 2, 10), ("hold_s", "nan")),
        ((5, 2, math.inf), ("close_s", "inf")),
    ],
)
def test_bad_times_are_named(times: tuple[float, float, float], names: tuple[str, ...]) -> None:
    """Times that cannot work are refused with the field, what was wanted and what was got."""
    with pytest.raises(ConfigError) as caught:
        Timing(hold_s=times[0], gap_s=times[1], close_s=times[2])
    for name in names:
        assert name in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(
    story=st.lists(
        st.tuples(st.floats(0.05, 4.0), st.sampled_from(["", "a", "b", "ab"]), st.sampled_from(LEVELS)),
        max_size=120,
    )
)
def test_every_alert_is_opened_updated_closed_in_that_order(story: list[tuple[float, str, Severity]]) -> None:
    """Whatever comes, in whatever rhythm: OPENED UPDATED* CLOSED, revisions 0, 1, 2, after enough hits."""
    rule = PlainRule(hold_s=3, gap_s=1, close_s=6)
    episodes = Episodes(RUN, "cam", [rule])
    t, alerts, hits = 0.0, [], {"a": list[float](), "b": list[float]()}
    for wait, keys, severity in story:
        t += wait
        for key in keys:
            hits[key].append(t)
        new = episodes.step(stamp(t), [[hit(key, severity=severity, n=ord(key)) for key in keys]])
        for alert in new:
            if alert.phase is Phase.OPENED:
                key = chr(int(alert.facts["n"]))
                held = [h for h in hits[key] if h >= alert.started_t - 0.001]
                assert len(held) >= math.ceil(rule.timing.hold_s / rule.timing.gap_s) + 1
                assert t - alert.started_t >= rule.timing.hold_s - 0.001
        alerts += new
    alerts += episodes.end("source ended")
    by_id: dict[UUID, list[Alert]] = {}
    for alert in alerts:
        by_id.setdefault(alert.alert_id, []).append(alert)
    for life in by_id.values():
        kinds = [a.phase for a in life]
        assert kinds == [Phase.OPENED, *[Phase.UPDATED] * (len(life) - 2), Phase.CLOSED]
        assert [a.revision for a in life] == list(range(len(life)))
        assert [a.t for a in life] == sorted(a.t for a in life)
        assert all(a.severity is not b.severity for a, b in pairwise(life[:-1]))


@settings(max_examples=100, deadline=None)
@given(
    fps=st.sampled_from([2.0, 4.0, 5.0, 10.0, 12.5]),
    start=st.floats(0, 5),
    dips=st.lists(
        st.tuples(st.floats(2.5, 6), st.one_of(st.floats(0.05, 0.9), st.floats(4.5, 7))), max_size=6
    ),
    offset=st.floats(0, 0.9),
)
def test_half_the_frame_rate_moves_an_alert_by_two_frames_at_most(
    fps: float, start: float, dips: list[tuple[float, float]], offset: float
) -> None:
    """With every other picture dropped, the same alerts come within two of the longer frame intervals.

    Stories in which something is true for just about hold_s are left out: there one rate may miss it wholly.
    """
    rule = PlainRule(hold_s=6, gap_s=2, close_s=20)
    edges, begun = [start], start
    for true_s, false_s in dips:
        edges += [edges[-1] + true_s, edges[-1] + true_s + false_s]
        if false_s > rule.timing.gap_s:
            assume(abs(edges[-2] - begun - rule.timing.hold_s) > 2 * 2 / fps)
            begun = edges[-1]
    last = edges[-1] + 10

    def found(t: float) -> list[Finding]:
        here = sum(edge <= t + offset / fps for edge in edges) % 2 == 1
        return [hit()] if here and t < last else []

    full, half = play(rule, 90, found, fps=fps), play(rule, 90, found, fps=fps / 2)
    assert [a.phase for a in full] == [a.phase for a in half]
    for a, b in zip(full, half, strict=True):
        assert abs(a.t - b.t) <= 2 * 2 / fps + 1e-3


def test_history_of_a_day_is_bounded_and_keeps_its_extremes() -> None:
    """A day of hits keeps at most MAX_POINTS points over the whole day, and the exact least and most."""
    history = History(0.0)
    for k in range(86_400):
        history.add(k * 1.0, {"n": 50 if k == 77_777 else 2 if k == 55_555 else 5, "calm": True, "word": "x"})
    series = history.series("n", "people", 4.0)
    assert MAX_POINTS / 2 <= len(series.t) == len(series.v) <= MAX_POINTS
    assert series.t[0] == 0
    assert series.t[-1] > 86_000
    assert (history.least("n"), history.median("n"), history.most("n"), history.latest("n")) == (2, 5, 50, 5)
    assert (history.dwell_s, history.latest("calm")) == (86_399, 1.0)


def test_a_day_of_incidents_leaves_no_state() -> None:
    """Thousands of incidents with ever new keys leave nothing behind once they are over."""
    episodes = Episodes(RUN, "cam", [PlainRule(hold_s=1, gap_s=0.5, close_s=2)])
    n_opened = 0
    for k in range(20_000):
        n_opened += len(episodes.step(stamp(k * 0.25), [[hit(f"group-{k // 20}")] if k % 20 < 10 else []]))
    assert n_opened >= 1000
    assert len(episodes._episodes) <= 2
