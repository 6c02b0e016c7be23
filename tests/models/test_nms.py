"""Suppression keeps the strongest of each heap and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.boxes import iou
from models.nms import MAX_CANDIDATES, suppress

ONE_GROUP = np.zeros(3, np.int64)
boxes_of = arrays(np.float32, st.tuples(st.integers(0, 40), st.just(4)), elements=st.floats(0, 100, width=32))


def test_the_strongest_of_two_that_cover_one_another_stays() -> None:
    """Of two boxes that overlap by more than the limit the stronger stays; one far away is not touched."""
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [50, 0, 60, 20]], np.float32)
    scores = np.array([0.6, 0.9, 0.3], np.float32)
    assert suppress(boxes, scores, ONE_GROUP, 0.5).tolist() == [1, 2]


def test_a_suppressed_box_suppresses_nothing() -> None:
    """In a row of overlapping boxes the third stays when only the second, itself gone, covers it."""
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], np.float32)
    assert suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32), ONE_GROUP, 0.5).tolist() == [0, 2]


def test_other_groups_do_not_suppress() -> None:
    """A person does not hide the bag that they carry."""
    boxes = np.tile(np.array([[0, 0, 10, 20]], np.float32), (3, 1))
    kept = suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 1]), 0.5)
    assert kept.tolist() == [0, 1]


def test_equal_scores_keep_their_order() -> None:
    """Ties are broken by place, so a run repeats itself."""
    boxes = np.tile(np.array([[0, 0, 10, 20]], np.float32), (3, 1))
    assert suppress(boxes, np.full(3, 0.5, np.float32), ONE_GROUP, 0.5).tolist() == [0]


def test_the_work_is_bounded() -> None:
    """A network that reports everything everywhere costs a bounded table."""
    n = MAX_CANDIDATES + 500
    boxes = np.arange(n, dtype=np.float32)[:, None] * 20 + np.array([0, 0, 10, 10], np.float32)
    scores = np.linspace(0, 1, n, dtype=np.float32)
    kept = suppress(boxes, scores, np.zeros(n, np.int64), 0.5)
    assert len(kept) == MAX_CANDIDATES
    assert kept[0] == n - 1


@given(boxes_of, st.data())
def test_what_stays_does_not_overlap_and_what_goes_is_covered(raw: np.ndarray, data: st.DataObject) -> None:
    """Kept boxes of a group do not overlap over the limit; a stronger kept one covers each dropped one."""
    boxes = np.concatenate([np.minimum(raw[:, :2], raw[:, 2:]), np.maximum(raw[:, :2], raw[:, 2:])], axis=1)
    scores = data.draw(arrays(np.float32, len(boxes), elements=st.floats(0, 1, width=32)))
    groups = data.draw(arrays(np.int64, len(boxes), elements=st.integers(0, 1)))
    kept = suppress(boxes, scores, groups, 0.5)
    covers = (iou(boxes, boxes) > 0.5) & (groups[:, None] == groups)
    assert not (covers[np.ix_(kept, kept)] & ~np.eye(len(kept), dtype=bool)).any()
    for row in set(range(len(boxes))) - set(kept.tolist()):
        assert any(covers[row, winner] and scores[winner] >= scores[row] for winner in kept)
