"""Laws of close pairs: proposed in time, kept while hands part, never more than the bound."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detector.errors import ConfigError
from detector.pairs import PairFinder, PairParams, Proposed
from detector.types import Kind, Observation, Stamp, Tracks

START = datetime(2026, 1, 1, tzinfo=UTC)
BODY = 100.0


def seen(
    t: float, people: dict[int, float], heights: dict[int, float] | None = None, late: Sequence[int] = ()
) -> Observation:
    """People at x (in body heights) on one line; `late` ones are remembered, not seen."""
    tall = heights or {}
    ids = np.array(list(people), np.int64)
    boxes = np.array(
        [[x * BODY - 20, 300 - tall.get(i, 1.0) * BODY, x * BODY + 20, 300] for i, x in people.items()],
        np.float32,
    ).reshape(-1, 4)
    n = len(ids)
    tracks = Tracks(
        ids,
        boxes,
        np.zeros((n, 2), np.float32),
        np.ones(n, np.float32),
        np.full(n, Kind.PERSON, np.int64),
        np.zeros(n),
        np.array([t - 0.2 if i in late else t for i in people]),
    )
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    stamp = Stamp("cam", 0, round(t * 10), t, START + timedelta(seconds=t), 2000, 400)
    return Observation(stamp, tracks, feet, np.full(n, BODY, np.float32), np.ones(n, np.float32))


def run(finder: PairFinder, *people: dict[int, float], dt: float = 0.1, start: float = 0.0) -> list[Proposed]:
    """One picture after another."""
    return [finder.step(seen(start + n * dt, there)) for n, there in enumerate(people)]


def test_close_for_a_while_is_a_pair() -> None:
    """Two people within reach are proposed once they have been so for `hold_s`, not before."""
    told = run(PairFinder(), *[{7: 1.0, 3: 1.7}] * 6)
    assert [len(one.pairs) for one in told] == [0, 0, 0, 1, 1, 1]
    (pair,) = told[3].pairs
    assert pair.track_ids == (3, 7)
    assert pair.rows == (1, 0)
    assert pair.apart_bh == pytest.approx(0.7)
    assert pair.since_t == 0


def test_far_is_no_pair() -> None:
    """People who stand farther apart than arms reach are never proposed."""
    assert all(not one.pairs for one in run(PairFinder(), *[{1: 0.0, 2: 1.0}] * 20))


def test_very_unlike_heights_are_no_pair() -> None:
    """One box much smaller than the other: one of them stands far behind."""
    finder = PairFinder()
    told = [finder.step(seen(n / 10, {1: 0.0, 2: 0.5}, {2: 0.6})) for n in range(10)]
    assert all(not one.pairs for one in told)


def test_a_pair_is_watched_while_it_parts() -> None:
    """A pair that steps apart is watched for `keep_s` more and then given up."""
    finder = PairFinder()
    run(finder, *[{1: 0.0, 2: 0.6}] * 5)
    told = run(finder, *[{1: 0.0, 2: 3.0}] * 25, start=0.5)
    watched = [bool(one.pairs) for one in told]
    assert watched[:14] == [True] * 14
    assert not any(watched[16:])


def test_between_near_and_far_a_pair_goes_on() -> None:
    """Swaying about the limit does not begin a pair anew."""
    told = run(PairFinder(), *[{1: 0.0, 2: 0.85 if n % 2 else 1.1} for n in range(1, 30)])
    assert all(one.pairs and one.pairs[0].since_t == 0 for one in told[4:])


def test_a_crowd_is_bounded_and_said_so() -> None:
    """Of many pairs the nearest `max_pairs` are proposed and the others are counted."""
    crowd = {n: n * 0.4 for n in range(8)}
    (*_, last) = run(PairFinder(PairParams(max_pairs=3)), *[crowd] * 6)
    assert len(last.pairs) == 3
    assert last.n_left_out == 7 + 6 - 3


def test_who_is_watched_stays_watched() -> None:
    """A nearer pair that comes later does not push out one whose hand-over is being watched."""
    finder = PairFinder(PairParams(max_pairs=1))
    run(finder, *[{1: 0.0, 2: 0.8}] * 6)
    (*_, last) = run(finder, *[{1: 0.0, 2: 0.8, 3: 5.0, 4: 5.2}] * 10, start=0.6)
    assert [pair.track_ids for pair in last.pairs] == [(1, 2)]
    assert last.n_left_out == 1


def test_the_remembered_make_no_pair() -> None:
    """A person who is not seen in this picture is near nobody."""
    finder = PairFinder()
    told = [finder.step(seen(n / 10, {1: 0.0, 2: 0.5}, late=[2])) for n in range(10)]
    assert all(not one.pairs for one in told)


def test_nobody_and_one_person() -> None:
    """An empty picture and a single person have no pairs."""
    finder = PairFinder()
    assert not finder.step(seen(0.0, {})).pairs
    assert not finder.step(seen(0.1, {1: 0.0})).pairs


def test_a_new_epoch_forgets() -> None:
    """After `reset` a pair must be close for `hold_s` again."""
    finder = PairFinder()
    run(finder, *[{1: 0.0, 2: 0.6}] * 5)
    finder.reset()
    assert not finder.step(seen(0.0, {1: 0.0, 2: 0.6})).pairs


def test_limits_that_contradict_are_refused() -> None:
    """`far_bh` under `near_bh` is an error that names it."""
    with pytest.raises(ConfigError, match="far_bh"):
        PairParams(near_bh=1.0, far_bh=0.5)
