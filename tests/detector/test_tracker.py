"""Laws of the tracker: seconds not frames, ids that last and never come back, bounded state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.tracker import MAX_TRACKS, Tracker, TrackerParams
from detector.types import Detections, Kind, Stamp, Tracks

START = datetime(2025, 1, 1, tzinfo=UTC)
PARAMS = TrackerParams()
Seen = list[tuple[float, float, float, Kind]]  # x of the middle, y of the feet, score, kind


def stamp(t: float, index: int = 0) -> Stamp:
    """The time of one picture of 640x480."""
    return Stamp("door", 0, index, t, START + timedelta(seconds=t), 640, 480)


def bodies(seen: Seen) -> Detections:
    """Boxes 40 wide and 100 tall that stand at the given feet."""
    boxes = np.array([[x - 20, y - 100, x + 20, y] for x, y, _, _ in seen], np.float32).reshape(-1, 4)
    return Detections(
        boxes,
        np.array([score for _, _, score, _ in seen], np.float32),
        np.array([kind for *_, kind in seen], np.int64),
    )


def run(
    scene: Callable[[float], Seen], times: Iterable[float], tracker: Tracker | None = None
) -> list[Tracks]:
    """What a tracker says of a scene at the given times."""
    tracker = tracker or Tracker()
    return [tracker.step(stamp(t, n), bodies(scene(t))) for n, t in enumerate(times)]


def at(fps: float, seconds: float, start: float = 0.0) -> list[float]:
    """Times of pictures."""
    return [start + n / fps for n in range(round(fps * seconds) + 1)]


def ids(told: Iterable[Tracks]) -> set[int]:
    """Every id that was ever told."""
    return {int(i) for tracks in told for i in tracks.ids}


def person(x: float, y: float, score: float = 0.9) -> tuple[float, float, float, Kind]:
    """A person seen at these feet."""
    return (x, y, score, Kind.PERSON)


def walker(
    hidden: tuple[float, float] = (0, 0), weak: tuple[float, float] = (0, 0)
) -> Callable[[float], Seen]:
    """One person who walks to the right, 40 px/s, hidden or weakly seen for a while."""

    def scene(t: float) -> Seen:
        if hidden[0] <= t < hidden[1]:
            return []
        return [person(150 + 40 * t, 400, 0.2 if weak[0] <= t < weak[1] else 0.9)]

    return scene


def test_a_person_is_one_track_with_the_right_box_and_speed() -> None:
    """Somebody who walks is one person, told where they are, how fast they go and since when they are known."""
    told = run(walker(), at(5, 4))
    last = told[-1]
    assert ids(told) == {1}
    assert last.boxes[0] == pytest.approx([290, 300, 330, 400], abs=4)
    assert last.velocity[0] == pytest.approx([40, 0], abs=6)
    assert (last.born_t[0], last.seen_t[0]) == (0.0, 4.0)
    assert last.kinds[0] == Kind.PERSON


def test_one_flicker_is_nobody() -> None:
    """A detection that is there once is never told."""
    assert ids(run(lambda t: [person(200, 300)] if t == 1.0 else [], at(5, 4))) == set()


@pytest.mark.parametrize("fps", [2.0, 5.0, 10.0, 25.0])
@pytest.mark.parametrize("gap", [0.5, 1.0, 2.0])
def test_a_gap_shorter_than_the_lost_time_keeps_the_id(fps: float, gap: float) -> None:
    """A walker hidden for up to two seconds comes out under the same id, at every rate (TRK-07, TRK-09)."""
    assert ids(run(walker(hidden=(4, 4 + gap)), at(fps, 10))) == {1}


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
def test_a_walker_gone_for_longer_than_the_lost_time_is_new(fps: float) -> None:
    """A walker away for longer than `lost_s` comes back as somebody else, at every rate (TRK-09)."""

    def scene(t: float) -> Seen:
        gone = PARAMS.lost_s + 1.0
        return [] if 3 <= t < 3 + gone else [person(150 + 40 * (t if t < 3 else t - gone), 400)]

    assert ids(run(scene, at(fps, 12))) == {1, 2}


def test_weak_detections_hold_a_track_but_start_none() -> None:
    """Low scores carry a known person through, and alone make nobody (TRK-07)."""
    told = run(walker(weak=(4, 6)), at(5, 10))
    assert ids(told) == {1}
    assert all(tracks.seen_t[0] == t for tracks, t in zip(told[1:], at(5, 10)[1:], strict=True))
    assert ids(run(lambda _: [person(200, 300, 0.3)], at(5, 4))) == set()


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
def test_coasting_is_told_for_coast_s_and_no_longer(fps: float) -> None:
    """A hidden person is told with the predicted box and the old `seen_t` for `coast_s`, whatever the rate."""
    tracker = Tracker(TrackerParams(coast_s=0.6))
    times = at(fps, 8)
    for tracks, t in zip(run(walker(hidden=(4, 99)), times, tracker), times, strict=True):
        seen = max(time for time in times if time < 4)
        if t >= 4:
            assert len(tracks) == int(t - seen <= 0.6)
            assert all(tracks.seen_t == seen)


def test_a_standing_person_is_found_again_where_they_stood() -> None:
    """Somebody who stands still and is not seen for seconds or most of a minute keeps the id (TRK-06)."""
    hidden = [(20, 26), (50, 58), (80, 95), (110, 155)]

    def scene(t: float) -> Seen:
        return [] if any(a <= t < b for a, b in hidden) else [person(300, 450)]

    assert ids(run(scene, at(5, 170))) == {1}


def test_a_place_is_not_kept_for_ever() -> None:
    """Somebody who stands where another stood two minutes ago is somebody else (TRK-06)."""
    assert ids(run(lambda t: [] if 10 <= t < 132 else [person(300, 450)], at(5, 140))) == {1, 2}


def test_who_leaves_at_the_edge_is_not_who_comes_in_later() -> None:
    """A person who walks out of the picture does not lend the id to the next who walks in there."""

    def scene(t: float) -> Seen:
        x = 560 + 40 * t if t < 2 else 640 - 40 * (t - 4)
        return [person(x, 400)] if t < 2 or t >= 4 else []

    assert ids(run(scene, at(5, 7))) == {1, 2}


def test_a_class_that_flips_is_one_track_by_vote() -> None:
    """A person who is called a backpack for a moment stays one track and a person (TRK-13)."""
    flips = [(3, 3.2), (5, 5.2), (7, 7.2)]

    def scene(t: float) -> Seen:
        kind = Kind.BACKPACK if any(a <= t <= b for a, b in flips) else Kind.PERSON
        return [(200 + 16 * t, 450, 0.9, kind), person(450, 450), person(530, 450)]

    told = run(scene, at(5, 12))
    assert ids(told) == {1, 2, 3}
    assert all((tracks.kinds == Kind.PERSON).all() for tracks in told)
    assert all(len(tracks) == 3 for tracks in told[1:])


def test_a_person_and_the_bag_they_carry_are_two_tracks() -> None:
    """A bag on a back is not the person, and neither takes the other's track when one is not seen."""

    def scene(t: float) -> Seen:
        x = 150 + 30 * t
        seen: Seen = [] if 3 <= t < 3.5 else [person(x, 400)]
        return seen if 5 <= t < 5.5 else [*seen, (x - 12, 380, 0.8, Kind.BACKPACK)]

    told = run(scene, at(5, 9))
    kinds = {int(i): int(kind) for tracks in told for i, kind in zip(tracks.ids, tracks.kinds, strict=True)}
    assert sorted(kinds.values()) == [Kind.PERSON, Kind.BACKPACK]


def test_two_who_cross_keep_their_ids() -> None:
    """People who walk through each other go on as themselves: motion tells them apart."""
    told = run(lambda t: [person(100 + 60 * t, 400), person(580 - 60 * t, 405)], at(5, 8))
    first, last = told[1], told[-1]
    assert ids(told) == {1, 2}
    assert (first.boxes[:, 0].argsort() == last.boxes[:, 0].argsort()[::-1]).all()


def test_empty_pictures_age_tracks() -> None:
    """Pictures without detections let tracks expire on time; who comes later is new (TRK-08)."""
    told = run(
        lambda t: [person(200 + 10 * t, 400)] if t < 5 else [person(450, 400)] if t >= 15 else [], at(5, 20)
    )
    assert ids(told) == {1, 2}
    assert all(len(tracks) == 0 for tracks in told[30:75])


def test_reset_forgets_tracks_but_not_ids() -> None:
    """After a reset everybody is new, time may start again, and no id comes back."""
    tracker = Tracker()
    before = run(walker(), at(5, 2), tracker)
    tracker.reset()
    after = run(walker(), at(5, 2), tracker)
    assert ids(before) == {1}
    assert ids(after) == {2}


def test_time_must_go_on() -> None:
    """The same or an earlier time is a mistake of the caller."""
    tracker = Tracker()
    tracker.step(stamp(1.0), Detections.empty())
    with pytest.raises(ValueError, match=r"wanted t later than 1\.0, got 1\.0"):
        tracker.step(stamp(1.0), Detections.empty())


@pytest.mark.parametrize(
    "bad",
    [
        [np.nan, 0, 10, 10], [0, 0, np.inf, 10], [-np.inf, 0, 10, 10],
        [10, 10, 10, 20], [20, 20, 10, 10], [0, 0, 3e38, 3e38], [-3e38, -3e38, 3e38, 3e38],
    ],
)  # fmt: skip
@pytest.mark.parametrize("score", [0.9, np.nan, np.inf, -1.0])
def test_impossible_boxes_harm_nobody(bad: list[float], score: float) -> None:
    """Boxes or scores that are not numbers, or boxes without size, change nothing for the others."""
    clean = run(walker(), at(5, 3))
    tracker = Tracker()
    for n, t in enumerate(at(5, 3)):
        seen = bodies(walker()(t))
        tracks = tracker.step(
            stamp(t, n),
            Detections(
                np.concatenate([seen.boxes, np.array([bad], np.float32)]),
                np.append(seen.scores, np.float32(score)),
                np.append(seen.kinds, Kind.PERSON),
            ),
        )
        mine = tracks[tracks.boxes[:, 3] < 1000]
        assert np.isfinite(tracks.boxes).all()
        np.testing.assert_array_equal(mine.boxes, clean[n].boxes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_the_order_of_detections_changes_nothing(seed: int, n: int) -> None:
    """Detections told in another order give the same tracks to the bit."""
    rng = np.random.default_rng(seed)
    straight, shuffled = Tracker(), Tracker()
    place = rng.uniform((50, 150), (590, 470), (n, 2))
    for step in range(12):
        place += rng.normal(0, 6, (n, 2))
        seen = bodies([(x, y, rng.choice([0.3, 0.7, 0.9]), Kind.PERSON) for x, y in place])
        a = straight.step(stamp(step / 5, step), seen)
        b = shuffled.step(stamp(step / 5, step), seen[rng.permutation(n)])
        for name in ("ids", "boxes", "velocity", "scores", "kinds", "born_t", "seen_t"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_noise_leaves_bounded_state_and_new_ids() -> None:
    """In 20,000 pictures of noise the state stays small, and an id never means two different tracks (TRK-10)."""
    rng = np.random.default_rng(7)
    tracker = Tracker(TrackerParams(still_s=5.0))
    born: dict[int, float] = {}
    most = 0
    for n in range(20_000):
        spots = rng.uniform((0, 100), (640, 480), (int(rng.integers(0, 3)), 2))
        told = tracker.step(stamp(n / 5, n), bodies([person(x, y) for x, y in spots]))
        for i, born_t in zip(told.ids.tolist(), told.born_t.tolist(), strict=True):
            assert born.setdefault(i, born_t) == born_t
        most = max(most, len(tracker._motion))
    assert len(born) > 100
    assert most < 60
    assert len(tracker._rows.ids) == len(tracker._rows.votes) == len(tracker._motion)


def test_a_flood_of_detections_is_cut_to_the_bound() -> None:
    """Thousands of boxes at once do not make more tracks than the bound."""
    rng = np.random.default_rng(3)
    tracker = Tracker()
    for n in range(4):
        low = rng.uniform(0, 4000, (3000, 2))
        boxes = np.concatenate([low, low + 10], axis=1).astype(np.float32)
        tracker.step(
            stamp(n / 5, n), Detections(boxes, np.full(3000, 0.9, np.float32), np.zeros(3000, np.int64))
        )
    assert len(tracker._motion) == MAX_TRACKS
