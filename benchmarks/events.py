"""Scores of what happened when: true events against what a system called, in seconds of a clip. Pure.

One event and one call are matched at most once. Of all matchings that which finds most events counts; of
these, that of the highest scores, then of the most overlap. Only then thresholds are swept over the scores.

Source: definitions of the ActEV scorer (NIST, github.com/usnistgov/ActEV_Scorer, lib/protocols/srl_ad_v1.py,
lib/alignment.py, lib/metrics.py): temporal IoU over 0.2; Pmiss = missed / true; RFA = false calls a minute;
Pmiss@RFA interpolated on the curve, 1 before its first point, its last value after it; nAUDC = area under
Pmiss over RFA from 0 to a limit, divided by the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from detector.types import F64

T = TypeVar("T")

# As the reference: the number of pairs counts before the scores, these before the overlap.
_SCORE_WEIGHT = 1e-6
_OVERLAP_WEIGHT = 1e-8
_SAME_RATE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What really happened."""

    clip: str
    start_s: float
    end_s: float
    members: frozenset[int] = frozenset()  # who; empty: not known
    counts: bool = True  # False: nobody is blamed for calling it, nor for not calling it


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a system says happened."""

    clip: str
    start_s: float
    end_s: float
    told_s: float  # when it was said
    score: float  # 0-1
    members: frozenset[int] = frozenset()  # who; empty: not known


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a call may stand for an event."""

    min_iou: float = 0.2  # temporal intersection over union must be over this
    min_shared: int = 0  # so many members in common, where both say who

    def fits(self, event: Event, call: Call) -> bool:
        """Say whether the call may stand for the event."""
        return self.concerns(event, call) and temporal_iou(event, call) > self.min_iou

    def concerns(self, event: Event, call: Call) -> bool:
        """Say whether they overlap in time at all and are about the same people."""
        if event.clip != call.clip or overlap_s(event, call) <= 0:
            return False
        if not event.members or not call.members:
            return True
        return len(event.members & call.members) >= self.min_shared


@dataclass(frozen=True, slots=True)
class Matching:
    """Who stands for whom: indices into the events and calls that were matched."""

    events: Sequence[Event]
    calls: Sequence[Call]
    pairs: Sequence[tuple[int, int]]  # (event, call) that count
    missed: Sequence[int]  # events
    false: Sequence[int]  # calls


@dataclass(frozen=True, slots=True)
class Repeats:
    """Calls of one event beyond the first."""

    fragments: int  # began after all before them had ended
    duplicates: int  # began while another was still going on


def overlap_s(event: Event, call: Call) -> float:
    """Give the seconds that both have; 0 or less: none."""
    return min(event.end_s, call.end_s) - max(event.start_s, call.start_s)


def temporal_iou(event: Event, call: Call) -> float:
    """Give intersection over union in time (0-1)."""
    both = max(overlap_s(event, call), 0.0)
    union = (event.end_s - event.start_s) + (call.end_s - call.start_s) - both
    return both / union if union > 0 else 0.0


def match(events: Sequence[Event], calls: Sequence[Call], criterion: Criterion = Criterion()) -> Matching:
    """Match events and calls one to one; a call left over that concerns an event out of count is not false."""
    worth = np.zeros((len(events), len(calls)))
    for i, event in enumerate(events):
        for j, call in enumerate(calls):
            if event.counts and criterion.fits(event, call):
                overlap = temporal_iou(event, call)
                worth[i, j] = 1 + _SCORE_WEIGHT * call.score + _OVERLAP_WEIGHT * overlap
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if worth[i, j] > 0]
    found, used = {i for i, _ in pairs}, {j for _, j in pairs}
    excused = [event for event in events if not event.counts]
    return Matching(
        events,
        calls,
        pairs,
        missed=[i for i, event in enumerate(events) if event.counts and i not in found],
        false=[
            j
            for j, call in enumerate(calls)
            if j not in used and not any(criterion.concerns(event, call) for event in excused)
        ],
    )  # fmt: skip


def det_curve(matching: Matching, minutes: float) -> F64:
    """Give (n, 2) false calls a minute and Pmiss, at each score that a call has, the highest first."""
    right = np.array([matching.calls[j].score for _, j in matching.pairs])
    wrong = np.array([matching.calls[j].score for j in matching.false])
    n_events = len(matching.pairs) + len(matching.missed)
    if n_events == 0:
        return np.zeros((0, 2))
    levels = np.unique(np.concatenate([right, wrong]))[::-1]
    return np.array(
        [
            (np.count_nonzero(wrong >= level) / minutes, 1 - np.count_nonzero(right >= level) / n_events)
            for level in levels
        ]
    ).reshape(-1, 2)


def pr_curve(matching: Matching) -> F64:
    """Give (n, 2) recall and precision, at each score that a call has, the highest first."""
    right = np.array([matching.calls[j].score for _, j in matching.pairs])
    wrong = np.array([matching.calls[j].score for j in matching.false])
    n_events = len(matching.pairs) + len(matching.missed)
    if n_events == 0:
        return np.zeros((0, 2))
    points = []
    for level in np.unique(np.concatenate([right, wrong]))[::-1]:
        n_right, n_wrong = np.count_nonzero(right >= level), np.count_nonzero(wrong >= level)
        points.append((n_right / n_events, n_right / (n_right + n_wrong)))
    return np.array(points).reshape(-1, 2)


def pmiss_at(curve: F64, rfa: float) -> float:
    """Give Pmiss at a rate of false calls a minute, on a curve of `det_curve`."""
    before: tuple[float, float] | None = None
    points: list[tuple[float, float]] = curve.tolist()
    for x, y in points:
        if x > rfa + _SAME_RATE:
            if before is None:
                return 1.0
            if rfa - before[0] < _SAME_RATE:
                return before[1]
            return before[1] + (y - before[1]) * (rfa - before[0]) / (x - before[0])
        before = (x, y)
    return 1.0 if before is None else before[1]


def naudc(curve: F64, limit: float) -> float:
    """Give the area under Pmiss over RFA from 0 to `limit`, divided by `limit`: 0 is perfect, 1 is nothing."""
    points = [(0.0, pmiss_at(curve, 0.0))]
    points += [(x, y) for x, y in curve.tolist() if 0 < x < limit]
    points.append((limit, pmiss_at(curve, limit)))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    return area / limit


def onset_errors_s(matching: Matching) -> list[float]:
    """Give how much later than the event each matched call begins; negative: earlier."""
    return [matching.calls[j].start_s - matching.events[i].start_s for i, j in matching.pairs]


def delays_s(matching: Matching) -> list[float]:
    """Give how long after its beginning each found event was told."""
    return [matching.calls[j].told_s - matching.events[i].start_s for i, j in matching.pairs]


def repeats(event: Event, calls: Sequence[Call], criterion: Criterion) -> Repeats:
    """Count the calls that concern this event beyond the first."""
    fragments = duplicates = 0
    ended_s: float | None = None
    for call in sorted(calls, key=lambda call: (call.start_s, call.end_s)):
        if not criterion.concerns(event, call):
            continue
        if ended_s is not None:
            fragments += call.start_s >= ended_s
            duplicates += call.start_s < ended_s
        ended_s = call.end_s if ended_s is None else max(ended_s, call.end_s)
    return Repeats(fragments, duplicates)


def bootstrap(
    units: Sequence[T], value: Callable[[Sequence[T]], float | None], n_draws: int = 1000, seed: int = 1
) -> tuple[float, float] | None:
    """Give a 95 % interval of `value`, by drawing as many units as there are, with replacement, `n_draws` times.

    Units are what is independent: clips, never pictures of one clip. None: too few to say.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 13.3 (percentile interval).
    """
    if len(units) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(units), (n_draws, len(units)))
    values = [value([units[i] for i in row]) for row in drawn.tolist()]
    known = [v for v in values if v is not None]
    if not known:
        return None
    low, high = np.percentile(known, (2.5, 97.5)).tolist()
    return float(low), float(high)
