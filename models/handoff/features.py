"""What the activity network sees of a pair: numbers (FEATURES, STEPS) that know no left, right, place or size.

The person on the left comes first, each person's reaching arm (the one that comes nearest the other's
wrists) before the other arm; lengths are in arm lengths. So mirrored and swapped people look the same.
"""

from __future__ import annotations

import numpy as np

from detector.skeletons import (
    ANKLES,
    ELBOWS,
    HIPS,
    KNEES,
    NOSE,
    SHOULDERS,
    STEPS,
    WRISTS,
    arm_length,
    even_steps,
    middle,
    wrist_gaps,
)
from detector.types import F32, F64, Mask

LIMIT = 5.0  # arm lengths; what is farther away is no part of what a pair does

# The activities the network tells apart, in the order of its output.
ACTIVITIES = (
    "exchange", "handshake", "hug", "high_five", "pushing", "punching", "kicking",
    "approaching", "departing", "passing", "none",
)  # fmt: skip
# What they are to the rule.
CLASSES = ("exchange", "handshake", "hug", "high_five", "push_or_punch", "passing", "none")
_GROUP = {"pushing": "push_or_punch", "punching": "push_or_punch", "kicking": "push_or_punch"}
_GROUP |= {"approaching": "none", "departing": "none"}


def to_classes(probabilities: F32) -> F32:
    """Sum the network's activities (..., 11) to CLASSES (..., 7)."""
    summed = np.zeros((*probabilities.shape[:-1], len(CLASSES)), np.float32)
    for column, name in enumerate(ACTIVITIES):
        summed[..., CLASSES.index(_GROUP.get(name, name))] += probabilities[..., column]
    return summed


def features(times: F64, points: F32, end: float) -> F32 | None:
    """Numbers (FEATURES, STEPS) of a pair's pictures (n, 2, 17, 3) up to `end`; None when no arm is seen."""
    even, seen = even_steps(times, points, end)
    unit = arm_length(even)
    if unit <= 0 or not np.isfinite(unit):
        return None
    even, seen = _in_order(even, seen)
    trunks = middle(even, SHOULDERS)  # (STEPS, 2, 2)
    centre = trunks.reshape(-1, 2)
    centre = centre[np.isfinite(centre).all(-1)]
    if not len(centre):
        return None
    hips = middle(even, HIPS)
    joints = [NOSE, *ELBOWS, *WRISTS, *KNEES, *ANKLES]
    places = np.concatenate([even[:, :, joints], trunks[:, :, None], hips[:, :, None]], axis=2)
    known = np.concatenate(
        [
            seen[:, :, joints],
            seen[:, :, SHOULDERS].any(-1, keepdims=True),
            seen[:, :, HIPS].any(-1, keepdims=True),
        ],
        axis=2,
    )
    places = (places - np.median(centre, axis=0)) / unit
    gaps = _gaps(even, trunks, hips) / unit
    columns = [
        np.where(known[..., None], places, 0.0).reshape(STEPS, -1),
        known.reshape(STEPS, -1),
        np.where(np.isfinite(gaps), gaps, LIMIT),
    ]
    table = np.concatenate(columns, axis=1).clip(-LIMIT, LIMIT).astype(np.float32)
    return np.nan_to_num(table, nan=0.0).T.copy()


def _gaps(even: F32, trunks: F32, hips: F32) -> F32:
    """The distances that tell what two people do (STEPS, 17), picture units, NaN where unknown."""
    wrists = wrist_gaps(even).reshape(STEPS, 4)
    others = trunks[:, ::-1, None], hips[:, ::-1, None]
    to_other = [np.linalg.norm(even[:, :, WRISTS] - other, axis=-1).reshape(STEPS, 4) for other in others]
    apart = np.linalg.norm(trunks[:, 0] - trunks[:, 1], axis=-1)[:, None]
    reach = np.linalg.norm(even[:, :, WRISTS] - even[:, :, SHOULDERS], axis=-1).reshape(STEPS, 4)
    return np.concatenate([wrists, *to_other, apart, reach], axis=1)


def _in_order(even: F32, seen: Mask) -> tuple[F32, Mask]:
    """The left person first, and of each person the reaching arm (and its side of the body) first."""
    across = middle(even, SHOULDERS)[..., 0]
    ahead = across[:, 0] - across[:, 1]
    ahead = ahead[np.isfinite(ahead)]
    if len(ahead) and ahead.mean() > 0:
        even, seen = even[:, ::-1], seen[:, ::-1]
    gaps = wrist_gaps(even)
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    even, seen = even.copy(), seen.copy()
    for person, nearest in enumerate((gaps.min((0, 2)), gaps.min((0, 1)))):
        if nearest[1] < nearest[0]:
            swapped = np.arange(17)
            swapped[1:] = np.arange(1, 17).reshape(-1, 2)[:, ::-1].ravel()
            even[:, person], seen[:, person] = even[:, person, swapped], seen[:, person, swapped]
    return even, seen


FEATURES = 2 * 11 * 2 + 2 * 11 + 17
