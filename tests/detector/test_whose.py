"""Laws of giving skeletons to a pair's tracks: right, one each, and nothing rather than a swap."""

from __future__ import annotations

import numpy as np

from detector.types import F32
from detector.whose import whose

LEFT, RIGHT = [0.0, 0, 50, 100], [80.0, 0, 130, 100]


def boxes(*rows: list[float]) -> F32:
    return np.array(rows, np.float32).reshape(-1, 4)


def bodies(*places: float) -> F32:
    """Skeletons whose every joint lies at x, down the body."""
    skeletons = np.ones((len(places), 17, 3), np.float32)
    for row, x in enumerate(places):
        skeletons[row, :, 0], skeletons[row, :, 1] = x, np.linspace(5, 95, 17)
    return skeletons


def test_each_gets_its_own() -> None:
    """People apart are given to the tracks whose boxes they fill, in whatever order they were found."""
    told = whose(boxes(LEFT, RIGHT), boxes(RIGHT, LEFT), bodies(105, 25), None)
    assert told.rows == (1, 0)
    assert not told.unsure


def test_a_third_person_is_nobodys() -> None:
    """Someone found between or beyond the two is left out."""
    told = whose(boxes(LEFT, RIGHT), boxes([300, 0, 350, 100], RIGHT, LEFT), bodies(325, 105, 25), None)
    assert told.rows == (2, 1)


def test_one_found_is_given_to_whom_it_fits() -> None:
    """A single person found goes to the track it fits; the other has none."""
    told = whose(boxes(LEFT, RIGHT), boxes(RIGHT), bodies(105), None)
    assert told.rows == (-1, 0)
    assert not told.unsure


def test_nobody_found() -> None:
    """An empty crop gives nobody, surely."""
    told = whose(boxes(LEFT, RIGHT), boxes(), bodies(), None)
    assert told.rows == (-1, -1)
    assert not told.unsure


def test_a_tie_gives_nobody() -> None:
    """Two tracks in one place and nothing known from before: no guess is made, and it is said."""
    same = boxes(LEFT, LEFT)
    told = whose(same, same, bodies(20, 30), None)
    assert told.rows == (-1, -1)
    assert told.unsure


def test_one_person_in_two_boxes_is_not_guessed() -> None:
    """One person found where both tracks are: it could be either."""
    told = whose(boxes(LEFT, [10, 0, 60, 100]), boxes([5, 0, 55, 100]), bodies(30), None)
    assert told.rows == (-1, -1)
    assert told.unsure


def test_what_was_known_decides_a_tie() -> None:
    """Where the boxes cannot tell, the joints of a moment ago do."""
    same = boxes(LEFT, [4, 0, 54, 100])
    told = whose(same, same[::-1], bodies(40, 10), bodies(10, 40))
    assert told.rows == (1, 0)
    assert not told.unsure
