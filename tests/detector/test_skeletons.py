"""Laws of a pair's skeletons over time: nothing looks ahead, and what is not known is not made up."""

from __future__ import annotations

import numpy as np
import pytest

from detector.skeletons import RATE_HZ, STEPS, arm_length, even_steps, fill, wrist_gaps
from detector.types import F32


def still(n: int) -> F32:
    """Two people who do not move, every joint at (joint, person)."""
    points = np.zeros((n, 2, 17, 3), np.float32)
    points[..., 0] = np.arange(17)
    points[..., 1] = np.arange(2)[:, None]
    points[..., 2] = 1
    return points


def test_a_missing_joint_stays_where_it_was() -> None:
    """A joint that is not seen keeps its last place and tells how long ago that was."""
    times, points = np.array([0.0, 0.1, 0.2, 0.4]), still(4)
    points[1:, 0, 9] = [99, 99, 0.1]
    filled, ago = fill(times, points)
    assert filled[3, 0, 9].tolist() == [9, 0]
    assert ago[:, 0, 9] == pytest.approx([0, 0.1, 0.2, 0.4])


def test_a_joint_never_seen_is_unknown() -> None:
    """Before the first sight there is no place, rather than a made-up one."""
    points = still(3)
    points[:2, 1, 5, 2] = 0
    filled, ago = fill(np.array([0.0, 0.1, 0.2]), points)
    assert np.isnan(filled[1, 1, 5]).all()
    assert np.isinf(ago[1, 1, 5])
    assert filled[2, 1, 5].tolist() == [5, 1]


def test_the_grid_never_shows_what_came_later() -> None:
    """Pictures after the end change nothing of the steps up to it."""
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 4, 50))
    points = still(50)
    points[..., :2] += rng.normal(size=(50, 2, 17, 2)).astype(np.float32)
    end = float(times[30])
    whole = even_steps(times[:31], points[:31], end)[0]
    later = points.copy()
    later[31:] = -1
    assert np.array_equal(even_steps(times, later, end)[0][:-1], whole[:-1], equal_nan=True)


def test_before_the_first_picture_nothing_was_seen() -> None:
    """A pair known for one second fills one second of the grid, whatever its length."""
    seen = even_steps(np.arange(0, 1.01, 0.1), still(11), 1.0)[1]
    assert seen.shape == (STEPS, 2, 17)
    assert seen.all((1, 2)).sum() == RATE_HZ + 1
    assert seen[-1].all()


def test_a_long_gap_is_not_seen() -> None:
    """Where a person was out of sight for a second the steps between say so."""
    times = np.array([0.0, 0.1, 0.2, 1.6, 1.7])
    seen = even_steps(times, still(5), 1.7)[1].all((1, 2))
    assert not seen[-8]
    assert seen[-1]


def test_arms_are_measured_at_their_longest() -> None:
    """The unit is the arm seen across, not the one that points at the camera; unknown is 0."""
    points = np.full((20, 2, 17, 2), np.nan, np.float32)
    points[:, :, 5], points[:, :, 7], points[:, :, 9] = (0, 0), (30, 0), (60, 0)
    points[5:, :, 9] = (30, 1)
    assert arm_length(points) == pytest.approx(60, abs=4)
    assert arm_length(np.full((2, 2, 17, 2), np.nan, np.float32)) == 0


def test_gaps_are_those_of_the_four_hands() -> None:
    """Each wrist of one person is measured to each of the other's."""
    points = still(1)[..., :2]
    points[0, 0, 9], points[0, 0, 10], points[0, 1, 9], points[0, 1, 10] = (0, 0), (10, 0), (0, 5), (10, 5)
    assert wrist_gaps(points)[0] == pytest.approx(np.array([[5, 125**0.5], [125**0.5, 5]]))
