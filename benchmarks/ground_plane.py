"""People in metres on the ground as what the product's core is given: seen from above, a body 1.7 m tall.

One px is one cm, up-down pixels count as much as sideways ones. Distances in body heights are then metres / 1.7.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from detector.types import F64, I64, Kind, Observation, Stamp, Tracks

BODY_M = 1.7
_PX_M = 100.0
_BODY_PX = BODY_M * _PX_M
_START = datetime(2000, 1, 1, tzinfo=UTC)  # any: no figure depends on it


def observation_from_above(t: float, ids: I64, places_m: F64, velocity_m_s: F64) -> Observation:
    """Give the observation of people (n,) at places and speeds (n, 2) at stream second `t`."""
    n = len(ids)
    feet = (places_m * _PX_M).astype(np.float32)
    half = np.float32(0.2 * _BODY_PX)
    boxes = np.stack([feet[:, 0] - half, feet[:, 1] - _BODY_PX, feet[:, 0] + half, feet[:, 1]], axis=1)
    tracks = Tracks(
        ids=ids,
        boxes=boxes.astype(np.float32),
        velocity=(velocity_m_s * _PX_M).astype(np.float32),
        scores=np.ones(n, np.float32),
        kinds=np.full(n, Kind.PERSON, np.int64),
        born_t=np.zeros(n),
        seen_t=np.full(n, t),
    )
    return Observation(
        stamp=Stamp("bench", 0, round(t * 1000), t, _START + timedelta(seconds=t), 10_000, 10_000),
        tracks=tracks,
        feet=feet,
        body_px=np.full(n, _BODY_PX, np.float32),
        depth_gain=np.ones(n, np.float32),
    )
