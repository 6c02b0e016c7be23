"""A state machine on the distance of hands: what is said of a pair when there is no network. Pure.

Hands come near, touch, and part again, while the bodies stay apart: that far a hand-over and a handshake look
the same, so its word is weak. Distances are in arm lengths (`skeletons.arm_length`). It is also the baseline
that the network is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.types import F32, F64


@dataclass(frozen=True, slots=True)
class TouchParams:
    """When hands touch and bodies are apart."""

    near_al: float = 0.45  # wrists nearer than this touch (arm lengths)
    parted_al: float = 0.7  # and farther than this have parted
    apart_al: float = 0.6  # trunks nearer than this overlap: a hug, or one before the other
    least_s: float = 0.0
    longest_s: float = 2.0  # a touch that lasts longer is no hand-over


@dataclass(frozen=True, slots=True)
class Touch:
    """One time that hands were together."""

    began_t: float
    nearest_t: float
    ended_t: float  # when they had parted, or the last time that was seen
    parted: bool
    nearest_al: float
    score: float  # 0-1: how nearly it went as a hand-over goes


def touches(times: F64, gaps: F32, apart: F32, params: TouchParams | None = None) -> list[Touch]:
    """Give the touches of a pair in order of time.

    `times` (n,) s rises; `gaps` (n,) is the least distance of the two people's wrists and `apart` (n,) that of
    their trunks, arm lengths, NaN where not seen: such moments change nothing.
    """
    limits = params or TouchParams()
    found: list[Touch] = []
    began: int | None = None
    last = 0
    for row in np.flatnonzero(np.isfinite(gaps)):
        if began is None:
            began = int(row) if gaps[row] < limits.near_al else None
        elif gaps[row] > limits.parted_al:
            found.append(_touch(times, gaps, apart, (began, int(row), True), limits))
            began = None
        last = int(row)
    if began is not None:
        found.append(_touch(times, gaps, apart, (began, last, False), limits))
    return found


def _touch(times: F64, gaps: F32, apart: F32, span: tuple[int, int, bool], limits: TouchParams) -> Touch:
    began, ended, parted = span
    part = slice(began, ended + 1)
    nearest = began + int(np.nanargmin(gaps[part]))
    seen = apart[part][np.isfinite(apart[part])]
    lasted = float(times[ended] - times[began])
    right = limits.least_s <= lasted <= limits.longest_s
    right = right and bool(len(seen)) and float(np.median(seen)) > limits.apart_al
    closeness = float(np.clip(1 - gaps[nearest] / limits.near_al, 0, 1))
    score = (0.5 + 0.5 * closeness) * (1.0 if parted else 0.8) if right else 0.0
    return Touch(
        began_t=float(times[began]),
        nearest_t=float(times[nearest]),
        ended_t=float(times[ended]),
        parted=parted,
        nearest_al=float(gaps[nearest]),
        score=score,
    )
