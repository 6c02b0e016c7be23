"""Laws of the event metrics: what one works out by hand, by the definitions of the public reference scorer."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.events import (
    Call,
    Criterion,
    Event,
    bootstrap,
    delays_s,
    det_curve,
    match,
    naudc,
    onset_errors_s,
    pmiss_at,
    pr_curve,
    repeats,
    temporal_iou,
)


def event(start: float, end: float, *members: int, clip: str = "a", counts: bool = True) -> Event:
    return Event(clip=clip, start_s=start, end_s=end, members=frozenset(members), counts=counts)


def call(start: float, end: float, score: float = 0.5, *members: int, clip: str = "a") -> Call:
    return Call(
        clip=clip, start_s=start, end_s=end, told_s=start + 20, score=score, members=frozenset(members)
    )


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(0, 10, 1.0), (5, 15, 5 / 15), (10, 20, 0.0), (30, 40, 0.0), (2, 4, 0.2), (-10, 20, 1 / 3)],
)
def test_temporal_overlap_by_hand(start: float, end: float, wanted: float) -> None:
    """Intersection over union of two intervals."""
    assert temporal_iou(event(0, 10), call(start, end)) == pytest.approx(wanted)


def test_the_overlap_must_be_over_the_limit() -> None:
    """As in the reference, an overlap of exactly the limit does not count."""
    assert match([event(0, 10)], [call(2, 4)]).missed == [0]
    assert match([event(0, 10)], [call(2, 4.1)]).pairs == [(0, 0)]


def test_one_event_takes_one_call_and_the_rest_is_false() -> None:
    """Of two calls of one event one is right, that of the higher score; the other is a false call."""
    matching = match([event(0, 10)], [call(0, 10, 0.3), call(1, 9, 0.8)])
    assert (matching.pairs, matching.false, matching.missed) == ([(0, 1)], [0], [])


def test_most_events_are_found_before_anything_else() -> None:
    """A call that could stand for two events leaves the one that has no other, whatever the scores say."""
    events = [event(0, 10), event(8, 18)]
    calls = [call(4, 14, 0.9), call(1, 9, 0.1)]
    matching = match(events, calls, Criterion(min_iou=0.1))
    assert sorted(matching.pairs) == [(0, 1), (1, 0)]


def test_calls_of_other_clips_and_of_other_people_are_not_matched() -> None:
    """Clip and, where both name them, members must agree."""
    assert match([event(0, 10)], [call(0, 10, clip="b")]).missed == [0]
    by_members = Criterion(min_shared=3)
    assert match([event(0, 10, 1, 2, 3, 4)], [call(0, 10, 0.5, 3, 4, 5, 6)], by_members).missed == [0]
    assert match([event(0, 10, 1, 2, 3, 4)], [call(0, 10, 0.5, 2, 3, 4, 5)], by_members).missed == []
    assert match([event(0, 10, 1, 2, 3, 4)], [call(0, 10)], by_members).missed == []


def test_events_out_of_count_excuse_calls() -> None:
    """Who calls an event that does not count is neither right nor wrong; who does not has missed nothing."""
    matching = match([event(0, 10, counts=False)], [call(0, 10), call(20, 30)])
    assert (matching.pairs, matching.missed, matching.false) == ([], [], [1])


def four_events() -> tuple[list[Event], list[Call]]:
    """Scores .9 right, .8 wrong, .7 right, .6 wrong, .6 right; one event is never called."""
    events = [event(100 * n, 100 * n + 50) for n in range(4)]
    calls = [
        call(0, 50, 0.9), call(60, 90, 0.8), call(100, 150, 0.7), call(160, 190, 0.6), call(200, 250, 0.6),
    ]  # fmt: skip
    return events, calls


def test_the_curves_by_hand() -> None:
    """One point for each score, ties together: false calls a minute against misses, recall against precision."""
    matching = match(*four_events())
    curve = det_curve(matching, 10)
    assert curve == pytest.approx(np.array([(0, 0.75), (0.1, 0.75), (0.1, 0.5), (0.2, 0.25)]))
    assert pr_curve(matching) == pytest.approx(
        np.array([(0.25, 1), (0.25, 0.5), (0.5, 2 / 3), (0.75, 3 / 5)])
    )


@pytest.mark.parametrize(
    ("rfa", "wanted"), [(0.0, 0.75), (0.05, 0.75), (0.1, 0.5), (0.15, 0.375), (0.2, 0.25), (5.0, 0.25)]
)
def test_pmiss_at_a_rate_of_false_alarm(rfa: float, wanted: float) -> None:
    """On a point its value at the lowest score, between points interpolated, beyond the last its value."""
    assert pmiss_at(det_curve(match(*four_events()), 10), rfa) == pytest.approx(wanted)


def test_pmiss_before_the_first_point_is_one() -> None:
    """A system that only calls wrongly at first, or never calls, has missed everything."""
    curve = np.array([(0.5, 0.4)])
    assert pmiss_at(curve, 0.2) == 1.0
    assert pmiss_at(np.zeros((0, 2)), 0.2) == 1.0


def test_the_area_under_the_curve_by_hand() -> None:
    """Trapezoids from 0 to the limit, normalised: 0.1 of .75, then from .5 to .25."""
    curve = det_curve(match(*four_events()), 10)
    assert naudc(curve, 0.2) == pytest.approx((0.1 * 0.75 + 0.1 * (0.5 + 0.25) / 2) / 0.2)
    assert naudc(np.array([(0.0, 0.0)]), 0.2) == 0.0
    assert naudc(np.zeros((0, 2)), 0.2) == 1.0


def test_onset_and_delay() -> None:
    """Onset is where the call begins, delay when it was told, both from the event's beginning."""
    matching = match([event(10, 60)], [call(12, 60)])
    assert onset_errors_s(matching) == [2]
    assert delays_s(matching) == [22]


def test_repeats_tell_fragments_from_duplicates() -> None:
    """A call after the others ended is a fragment, one beside another is a duplicate, others are nothing."""
    calls = [call(0, 20), call(10, 30), call(40, 50), call(200, 210), call(5, 9, clip="b")]
    found = repeats(event(0, 100), calls, Criterion())
    assert (found.fragments, found.duplicates) == (1, 1)


def test_the_interval_is_drawn_over_clips_and_always_the_same() -> None:
    """All clips alike: no width; ten clips of which half are right: about .2 to .8, each time; one clip: none."""

    def share(units: object) -> float:
        return float(np.mean(np.array(units)))

    assert bootstrap([1.0] * 10, share) == (1.0, 1.0)
    found = bootstrap([0.0, 1.0] * 5, share)
    assert found is not None
    assert found == bootstrap([0.0, 1.0] * 5, share)
    assert found[0] == pytest.approx(0.2, abs=0.1)
    assert found[1] == pytest.approx(0.8, abs=0.1)
    assert bootstrap([1.0], share) is None
    assert bootstrap([1.0, 2.0], lambda units: None) is None


def test_without_events_there_is_no_curve() -> None:
    """Nothing to miss: no curve, and every call is false."""
    matching = match([], [call(0, 10)])
    assert len(det_curve(matching, 1)) == len(pr_curve(matching)) == 0
    assert matching.false == [0]
