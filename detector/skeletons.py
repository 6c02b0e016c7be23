"""Geometry of two people's skeletons over time: fill, even steps, unit of length, distances. Pure numpy.

A skeleton is 17 points in COCO order with x, y (px, or any picture unit) and a confidence; a point below
`MIN_SEEN` was not seen. Nothing looks ahead: a point that is missing is where it was last seen. Lengths are
given in arm lengths (shoulder to elbow to wrist), the one measure that upper bodies alone have.
"""

from __future__ import annotations

import numpy as np

from detector.types import F32, F64, Mask

NOSE = 0
SHOULDERS, ELBOWS, WRISTS = (5, 6), (7, 8), (9, 10)
HIPS, KNEES, ANKLES = (11, 12), (13, 14), (15, 16)
MIN_SEEN = 0.3  # confidence below which a point counts as not seen

RATE_HZ = 10.0
STEPS = 32  # of the grid on which a pair is judged: 3.2 s
HELD_S = 0.35  # a point not seen for longer counts as missing
ARM_QUANTILE = 0.9  # an arm is as long as it looks when it lies across the view


def fill(times: F64, points: F32) -> tuple[F32, F64]:
    """Give points (n, 2, 17, 2) carried on from when they were last seen, and how long ago that was, s (n, 2, 17).

    `points` is (n, 2, 17, 3), `times` (n,) rises. A point never seen yet is NaN, infinitely long ago.
    """
    n = len(times)
    seen = (points[..., 2] >= MIN_SEEN) & np.isfinite(points[..., :2]).all(-1)
    rows = np.where(seen, np.arange(n)[:, None, None], -1)
    last = np.maximum.accumulate(rows, axis=0)
    person, joint = np.arange(2)[None, :, None], np.arange(17)[None, None, :]
    there = last >= 0
    filled = np.where(there[..., None], points[np.maximum(last, 0), person, joint, :2], np.nan)
    ago = np.where(there, times[:, None, None] - times[np.maximum(last, 0)], np.inf)
    return filled.astype(np.float32), ago


def even_steps(times: F64, points: F32, end: float) -> tuple[F32, Mask]:
    """Put a pair's pictures (n, 2, 17, 3) on the grid of STEPS that ends at `end`.

    Gives points (STEPS, 2, 17, 2), NaN where unknown, and whether each was seen (STEPS, 2, 17): known, not
    longer ago than HELD_S, and not before the first picture.
    """
    grid = end - np.arange(STEPS - 1, -1, -1) / RATE_HZ
    filled, ago = fill(times, points)
    after = np.clip(np.searchsorted(times, grid, side="left"), 0, len(times) - 1)
    before = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 1)
    span = times[after] - times[before]
    part = np.where(span > 0, (grid - times[before]) / np.where(span > 0, span, 1.0), 0.0)
    part = np.clip(part, 0.0, 1.0)[:, None, None, None]
    left, right = filled[before], filled[after]
    mixed = np.where(
        np.isnan(left), np.nan, left * (1 - part) + np.where(np.isnan(right), left, right) * part
    )
    late = grid - times[before]
    known = (ago[before] + np.maximum(late, 0.0)[:, None, None]) <= HELD_S
    known &= (grid >= times[0] - 0.5 / RATE_HZ)[:, None, None] & ~np.isnan(mixed).any(-1)
    return mixed.astype(np.float32), known


def arm_length(points: F32) -> float:
    """Give the arm's length (picture units) of points (..., 2, 17, 2); 0 when no arm is known.

    Each person's arm as long as in its best views; the mean of the two people.
    """
    flat = points.reshape(-1, 2, 17, 2)
    upper = np.linalg.norm(flat[:, :, SHOULDERS] - flat[:, :, ELBOWS], axis=-1)
    lower = np.linalg.norm(flat[:, :, ELBOWS] - flat[:, :, WRISTS], axis=-1)
    arms = (upper + lower).transpose(1, 0, 2).reshape(2, -1)
    ranked = [np.sort(arm[np.isfinite(arm)]) for arm in arms]
    lengths = [float(arm[int(ARM_QUANTILE * (len(arm) - 1))]) for arm in ranked if len(arm)]
    return sum(lengths) / len(lengths) if lengths else 0.0


def wrist_gaps(points: F32) -> F32:
    """Distances (n, 2, 2) of the first person's wrists to the second's, of points (n, 2, 17, 2), same unit."""
    first, second = points[:, 0, WRISTS], points[:, 1, WRISTS]
    gaps: F32 = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    return gaps


def middle(points: F32, joints: tuple[int, int]) -> F32:
    """The point (n, 2, 2) between two joints of each person; where one is NaN the other, NaN if none is known."""
    first, second = points[:, :, joints[0]], points[:, :, joints[1]]
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))
