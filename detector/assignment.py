"""Which detection belongs to which track: what each pair is worth, and the pairs worth most together.

A pair that may not be has worth 0 and is never chosen; nothing forces a bad pair only to use up a detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from detector.boxes import iou64
from detector.motion import Motion, measure
from detector.types import F64, I64, Kind, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class PairParams:
    """How near a detection must be to a track's predicted place. `bh` is the mean body height of the two.

    worth = limit - distance / gate - height_weight * |log height ratio| + overlap_weight * IoU
    """

    gate_bh: float = 0.3  # more joins across jumps, and across people who stand close
    gate_sigmas: float = (
        1.5  # its growth per standard deviation of the predicted place: more trusts motion less
    )
    gate_bh_s: float = 0.6  # its growth per second unseen: more bridges longer gaps, less mixes up less
    gate_max_bh: float = 2.1  # where it stops growing
    still_gate_bh: float = 0.4  # of people who stood still when last seen: they are found where they were
    limit: float = 0.85  # more accepts poorer pairs
    bonus: float = 0.1  # more prefers many pairs, less prefers good ones
    height_weight: float = 1.6  # more separates near people from far ones behind them
    overlap_weight: float = 0.4  # more prefers a box that covers the predicted one
    other_kind_iou: float = 0.6  # from it on a person may be a thing for a moment; more keeps them apart
    other_kind_cost: float = 0.3  # more prefers a detection of the track's own kind


def worth(
    motion: Motion, track_kinds: I64, gates_bh: F64, boxes: F64, kinds: I64, params: PairParams
) -> tuple[F64, F64]:
    """What each pair of n tracks and m detections is worth (n, m), 0 where it may not be; and its IoU (n, m).

    `gates_bh` (n,); `boxes` (m, 4) x0 y0 x1 y1 px of positive size.
    """
    overlap = iou64(motion.boxes(), boxes)
    place, log_size = measure(boxes)
    track_heights, heights = motion.heights(), np.exp(log_size[:, 1])
    away = np.hypot(motion.place[:, None, 0] - place[:, 0], motion.place[:, None, 1] - place[:, 1])
    away *= 2.0 / (track_heights[:, None] + heights)
    away /= gates_bh[:, None]
    value = np.abs(motion.log_size[:, None, 1] - log_size[:, 1])
    value *= -params.height_weight
    value -= away
    value += params.overlap_weight * overlap
    value += params.limit
    value[away >= 1.0] = 0.0
    mixed = (track_kinds == Kind.PERSON)[:, None] != (kinds == Kind.PERSON)
    if mixed.any():
        value -= params.other_kind_cost * mixed
        value[mixed & (overlap < params.other_kind_iou)] = 0.0
    value[value > 0.0] += params.bonus
    return np.maximum(value, 0.0), overlap


def assign(value: F64, rows: Mask, columns: Mask) -> tuple[I64, I64]:
    """Choose pairs, one-to-one, among marked rows (n,) and columns (m,) of `value` (n, m) >= 0, finite.

    The result is two index arrays (k,) into the whole matrix, by row; only pairs worth more than 0. The same
    input gives the same pairs, ties included.
    """
    row_at, column_at = np.flatnonzero(rows), np.flatnonzero(columns)
    if not len(row_at) or not len(column_at):
        return row_at[:0], column_at[:0]
    part = value[row_at[:, None], column_at]
    row, column = linear_sum_assignment(part, maximize=True)
    chosen = part[row, column] > 0.0
    return row_at[row[chosen]], column_at[column[chosen]]
