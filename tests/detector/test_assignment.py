"""Laws of matching: one-to-one, gated, best in sum, people and things apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.assignment import PairParams, assign, worth
from detector.motion import Motion, MotionParams
from detector.types import F64, I64, Kind

PAIRS = PairParams()
BOX = np.array([[100.0, 100.0, 140.0, 200.0]])
tables = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 2))
)


def value(track_box: F64, track_kind: Kind, seen_box: F64, seen_kind: Kind, gate: float = 0.5) -> float:
    """What one pair is worth."""
    motion = Motion.start(track_box, MotionParams())
    kinds: list[I64] = [np.array([kind], np.int64) for kind in (track_kind, seen_kind)]
    pair, _ = worth(motion, kinds[0], np.array([gate]), seen_box, kinds[1], PAIRS)
    return float(pair[0, 0])


@given(tables)
def test_matching_is_one_to_one_and_worth_most(table: F64) -> None:
    """No row or column is used twice, no pair is worth nothing, and no other choice is worth more."""
    n, m = table.shape
    row, column = assign(table, np.ones(n, bool), np.ones(m, bool))
    assert len(set(row)) == len(row) == len(set(column))
    assert (table[row, column] > 0).all()
    wide = table if n <= m else table.T
    best = max(
        (
            sum(wide[i, j] for i, j in enumerate(way))
            for way in itertools.permutations(range(wide.shape[1]), wide.shape[0])
        ),
        default=0.0,
    )
    assert table[row, column].sum() == pytest.approx(best)


def test_only_marked_rows_and_columns_take_part() -> None:
    """A pair outside the marks is not chosen, however good."""
    table = np.array([[5.0, 1.0], [1.0, 5.0]])
    row, column = assign(table, np.array([True, False]), np.array([False, True]))
    assert (row.tolist(), column.tolist()) == ([0], [1])


def test_nearer_is_worth_more_and_beyond_the_gate_nothing() -> None:
    """Worth falls with distance and is 0 from the gate on."""
    values = [
        value(BOX, Kind.PERSON, BOX + np.array((d, 0, d, 0), np.float32), Kind.PERSON)
        for d in (0, 10, 25, 49, 51, 400)
    ]
    assert values[:4] == sorted(values[:4], reverse=True)
    assert values[0] > 1.0
    assert values[4:] == [0.0, 0.0]


def test_a_much_smaller_person_at_the_same_place_is_somebody_else() -> None:
    """A box of half the height at the same hip is not the same body."""
    half = np.array([[110.0, 132.5, 130.0, 182.5]])
    assert value(BOX, Kind.PERSON, half, Kind.PERSON) == 0.0


def test_a_person_is_a_thing_only_where_the_boxes_agree() -> None:
    """People and things are matched only at high overlap, and worth less than one of the own kind."""
    same = value(BOX, Kind.PERSON, BOX, Kind.PERSON)
    flipped = value(BOX, Kind.PERSON, BOX, Kind.BACKPACK)
    assert 0.0 < flipped < same
    aside = BOX + np.array((15, 0, 15, 0), np.float32)
    assert value(BOX, Kind.PERSON, aside, Kind.PERSON) > 0.0
    assert value(BOX, Kind.PERSON, aside, Kind.BACKPACK) == 0.0


def test_things_may_change_what_they_are() -> None:
    """Networks waver between a handbag and a backpack: things match things as people match people."""
    assert value(BOX, Kind.HANDBAG, BOX, Kind.BACKPACK) == value(BOX, Kind.PERSON, BOX, Kind.PERSON)


def test_empty_sides_give_empty_tables() -> None:
    """No tracks or no detections give a table without rows or columns."""
    none, kinds = np.zeros((0, 4)), np.zeros(0, np.int64)
    params = MotionParams()
    one = np.zeros(1, np.int64)
    assert worth(Motion.start(none, params), kinds, np.zeros(0), BOX, one, PAIRS)[0].shape == (0, 1)
    assert worth(Motion.start(BOX, params), one, np.ones(1), none, kinds, PAIRS)[0].shape == (1, 0)
