"""Whose skeleton is whose: the people found in a pair's crop given to the pair's two tracks. Pure.

Two people who hand something over overlap, so the nearest box alone would swap them. A found person goes to a
track by how its box fits and by where that track's joints just were; when the other way round would be nearly
as good, nobody is given anything: a moment without a skeleton does less harm than a swap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.boxes import iou
from detector.skeletons import MIN_SEEN
from detector.types import F32, F64

LEAST_IOU = 0.3  # of a found person's box with the track's
MARGIN = 0.12  # by how much the right way must be better than the other way round
MOVED = 0.5  # joints farther from where they were than this share of the body say nothing more
NOBODY = 1.0  # cost of leaving a track without a skeleton


@dataclass(frozen=True, slots=True)
class Whose:
    """Which found person is each track's: a row, or -1; and whether that could not be told."""

    rows: tuple[int, int]
    unsure: bool


def whose(tracks: F32, boxes: F32, skeletons: F32, before: F32 | None) -> Whose:
    """Give each of two tracks (2, 4) at most one of the people found: boxes (k, 4), skeletons (k, 17, 3).

    `before` (2, 17, 3) is the tracks' skeletons a moment ago; None, or a joint of no confidence: not known.
    """
    costs = _costs(tracks, boxes, skeletons, before)
    k = costs.shape[1]
    choices = [
        (first, second) for first in range(-1, k) for second in range(-1, k) if first != second or first < 0
    ]
    ranked = sorted((_total(costs, choice), choice) for choice in choices)
    best_cost, best = ranked[0]
    used = {row for row in best if row >= 0}
    for cost, (first, second) in ranked[1:]:
        swapped = {row for row in (first, second) if row >= 0} == used and used
        if swapped and cost - best_cost < MARGIN:
            return Whose((-1, -1), unsure=True)
    return Whose(best, unsure=False)


def _total(costs: F64, choice: tuple[int, int]) -> float:
    return sum(NOBODY if row < 0 else float(costs[track, row]) for track, row in enumerate(choice))


def _costs(tracks: F32, boxes: F32, skeletons: F32, before: F32 | None) -> F64:
    """What it costs that a found person is a track (2, k): 0 fits wholly, over NOBODY is never chosen."""
    overlap = iou(tracks, boxes).astype(np.float64)
    costs = np.where(overlap >= LEAST_IOU, 1 - overlap, 9.0)
    if before is None or not len(boxes):
        return costs
    for track in range(2):
        height = max(float(tracks[track, 3] - tracks[track, 1]), 1.0)
        both = (before[track, :, 2] >= MIN_SEEN) & (skeletons[:, :, 2] >= MIN_SEEN)
        away = np.linalg.norm(skeletons[:, :, :2] - before[track, :, :2], axis=-1) / height
        n = both.sum(axis=1)
        mean = np.where(both, np.minimum(away, MOVED), 0).sum(axis=1) / np.maximum(n, 1)
        costs[track] += np.where(n >= 3, mean, MOVED / 2)
    return costs
