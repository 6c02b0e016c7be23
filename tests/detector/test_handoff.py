"""Laws of the hand-off rule: things in hands decide, hands alone never alert, and one touch is told once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from support.handing import IDS, MEET, Thing, box_at, handed, kept, skeletons, views

from detector.episodes import Episodes
from detector.errors import ConfigError
from detector.rules.handoff import Handoff, HandoffParams
from detector.types import F32, Alert, Finding, Kind, Phase, Severity, Things
from detector.zones import Zone

_CORNERS = ((-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1))


def found(rule: Handoff, thing: Thing | None = None, **how: object) -> list[tuple[float, Finding]]:
    """All findings with their times."""
    return [
        (view.obs.stamp.t, finding)
        for view in views(thing, **how)  # type: ignore[arg-type]
        for finding in rule.step(view)
    ]


def test_a_thing_that_changes_hands_is_a_handoff() -> None:
    """A cup in one's hand before and in the other's after is evidence A, decided within 1.5 s of the parting."""
    ((t, finding),) = found(Handoff(), handed)
    assert finding.facts["evidence"] == "A"
    assert finding.facts["object"] == "cup"
    assert (finding.facts["giver"], finding.facts["taker"]) == IDS
    assert finding.severity is Severity.MEDIUM
    assert finding.facts["exchange_t"] == pytest.approx(2.0, abs=0.4)
    assert 0 < float(finding.facts["decided_after_s"]) <= 1.5
    assert t < 4.0


def test_the_interval_is_a_second_on_either_side() -> None:
    """The interval told runs from a second before to a second after the moment."""
    ((_, finding),) = found(Handoff(), handed)
    at = float(finding.facts["exchange_t"])
    assert (finding.facts["from_t"], finding.facts["to_t"]) == (at - 1, at + 1)


def test_hands_alone_never_alert() -> None:
    """Hands that meet and part as in a transfer, no thing seen: counted for review, no finding."""
    rule = Handoff()
    assert found(rule) == []
    assert rule.counts.n_possible == 1


def test_a_thing_that_stays_with_its_owner_is_no_handoff() -> None:
    """A fist bump with a cup in the hand: the cup is where it was."""
    assert found(Handoff(), kept) == []


def test_a_thing_seen_on_one_side_is_less() -> None:
    """A cup held before and not seen after, or the other way round, is evidence B: a lower severity."""
    for hidden in ((0.0, 2.0), (2.0, 9.0)):
        (((_, finding)),) = found(
            Handoff(), lambda t, p, h=hidden: None if h[0] <= t < h[1] else handed(t, p)
        )
        assert finding.facts["evidence"] == "B"
        assert finding.severity is Severity.LOW


def test_what_lay_between_was_put_down() -> None:
    """A cup that lies on something while hands are near, then is picked up, changed no hands."""

    def laid(t: float, people: F32) -> list[float]:
        if 1.4 < t < 2.4:
            return box_at(MEET + np.array([0, 90], np.float32))
        return handed(t, people)

    assert found(Handoff(), laid) == []


def test_a_long_touch_is_a_handshake() -> None:
    """Hands that stay together longer than `longest_s` pass nothing, whatever is in them."""
    shake = found(Handoff(), handed, of=lambda t: skeletons(t, touch_s=2.6), seconds=6)
    assert shake == []


def test_a_hug_is_no_handoff() -> None:
    """Trunks over one another: no hand-off, whatever hands do."""
    assert found(Handoff(), handed, of=lambda t: skeletons(t, apart=25)) == []


def test_the_network_may_say_no() -> None:
    """A touch that the network holds to be something else is none."""
    assert found(Handoff(), handed, exchange=0.2) == []


def test_without_a_network_the_state_machine_decides() -> None:
    """No network file: the distance of hands proposes, the thing decides."""
    assert len(found(Handoff(), handed, exchange=None)) == 1


def test_small_people_are_not_judged_and_are_counted() -> None:
    """Below `min_px` no decision is made, and it is told how often."""
    rule = Handoff()
    assert found(rule, handed, size=0.4) == []
    assert rule.counts.n_too_small == 45


def test_a_handoff_outside_the_zone_is_not_told() -> None:
    """Where a zone is given both must stand in it: a counter is kept out by drawing it so."""
    zone = Zone("left", ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0)))
    assert found(Handoff(zone=zone), handed) == []


def test_over_a_counter_nothing_is_told() -> None:
    """Hands that meet over a counter pass things all day: counted, not told; elsewhere they are."""
    at = MEET / np.array([640, 480], np.float32)
    counter = Zone("till", tuple((float(at[0]) + dx, float(at[1]) + dy) for dx, dy in _CORNERS))
    rule = Handoff(HandoffParams(counters="till"), counters=(counter,))
    assert found(rule, handed) == []
    assert rule.counts.n_counter == 1
    away = Zone("desk", tuple((x / 10, y / 10) for x, y in ((1, 1), (2, 1), (2, 2))))
    assert len(found(Handoff(counters=(away,)), handed)) == 1


def test_a_carried_thing_that_has_another_owner_is_evidence() -> None:
    """A bag seen in no hand, carried by the one and then by the other, changed hands; one that stays did not."""
    for end, wanted in ((IDS[1], ["A"]), (IDS[0], [])):
        rule, told = Handoff(), []
        for view in views():
            t = view.obs.stamp.t
            bag = Things(
                np.array([7]), np.array([int(Kind.BACKPACK)]), np.array([[0, 0, 1, 1]], np.float32),
                np.array([IDS[0] if t < 2.6 else end]), np.zeros(1), np.array([t]),
            )  # fmt: skip
            told += rule.step(replace(view, obs=replace(view.obs, things=bag)))
        assert [finding.facts["evidence"] for finding in told] == wanted
        assert all(finding.facts["object"] == "backpack" for finding in told)


def test_a_pair_whose_tracks_change_is_told_once() -> None:
    """A new track id in the place of a lost one is the same pair: no second alert within `repeat_s`."""
    rule = Handoff()
    episodes = Episodes(UUID(int=1), "cam", [rule])
    told = []
    for view in views(handed):
        told += episodes.step(view.obs.stamp, [rule.step(view)])
    for late in views(handed):
        at = replace(late.obs.stamp, t=late.obs.stamp.t + 5, index=late.obs.stamp.index + 50)
        tracks = replace(late.obs.tracks, ids=np.array([IDS[0], 12]), seen_t=late.obs.tracks.seen_t + 5)
        (sight,) = late.pairs
        sight = replace(sight, pair=replace(sight.pair, track_ids=(IDS[0], 12)))
        obs = replace(late.obs, stamp=at, tracks=tracks)
        told += episodes.step(at, [rule.step(replace(late, obs=obs, pairs=(sight,)))])
    assert [alert.phase for alert in told] == [Phase.OPENED]


def test_what_else_it_may_have_been_is_plotted() -> None:
    """The strongest other activities that the network held possible stand beside the exchange, with who held the thing."""
    (((_, finding)),) = found(Handoff(), handed, exchange=0.7)
    curves = {series.name: series for series in finding.series}
    assert list(curves) == ["wrists_al", "exchange", "handshake", "in_hand_of"]
    assert curves["handshake"].threshold is None
    assert (curves["in_hand_of"].v[0], curves["in_hand_of"].v[-1]) == (1, 2)


def test_other_rates_give_the_same() -> None:
    """At 6 and at 25 pictures a second the same hand-off is found."""
    for rate_hz in (6, 25):
        ((_, finding),) = found(Handoff(), handed, rate_hz=rate_hz)
        assert finding.facts["evidence"] == "A"


def alerts(thing: Thing, seconds: float, **how: object) -> list[Alert]:
    """What the episodes make of it."""
    rule = Handoff()
    episodes = Episodes(UUID(int=1), "cam", [rule])
    told = []
    for view in views(thing, seconds=seconds, **how):  # type: ignore[arg-type]
        told += episodes.step(view.obs.stamp, [rule.step(view)])
    return [*told, *episodes.end("source ended")]


def test_one_alert_with_its_reasons() -> None:
    """A hand-off is one alert, opened at once, with its facts, its curves and a sentence."""
    opened, closed = alerts(handed, 5)
    assert (opened.phase, closed.phase) == (Phase.OPENED, Phase.CLOSED)
    assert opened.facts["object"] == "cup"
    assert [series.name for series in opened.series] == ["wrists_al", "exchange", "in_hand_of"]
    assert len(opened.series[0].t) > 20
    assert "A cup went from one person's hand to the other's in view" in opened.reason
    assert opened.track_ids == IDS


def test_one_alert_in_half_a_minute() -> None:
    """A pair that hands things to and fro is told once in `repeat_s`."""

    def back_and_forth(t: float, people: F32) -> list[float]:
        return handed(t, people) if t < 6 else box_at(people[1, 10] if t <= 8 else people[0, 9])

    told = alerts(back_and_forth, 11, of=lambda t: skeletons(t, meet_t=2.0 if t < 5 else 8.0))
    assert [alert.phase for alert in told] == [Phase.OPENED, Phase.CLOSED]


def test_a_new_epoch_forgets() -> None:
    """What was half seen before a reconnect is no hand-off after it."""
    rule = Handoff()
    told = []
    for view in views(handed):
        if view.obs.stamp.t == 2.2:
            rule.reset()
        told += rule.step(view)
    assert told == [] or told[0].facts["evidence"] == "B"


def test_wrong_parameters_are_named() -> None:
    """A probability over 1 is refused."""
    with pytest.raises(ConfigError, match="min_probability"):
        HandoffParams(min_probability=1.5)


def test_kinds_do_not_mix() -> None:
    """A cup before and a phone after is no thing that changed hands."""
    rule, told = Handoff(), []
    for cups, phones in zip(views(handed), views(handed, kind=Kind.PHONE), strict=True):
        told += rule.step(cups if cups.obs.stamp.t <= 2.0 else phones)
    assert [finding.facts["evidence"] for finding in told] == ["B"]
