"""Which groups are queues: people in a line who step up along it, one way, each about as far as the others.

A step is a way of 0.25 to 2 body heights between two places where a person stood. So a line of people who stand
still is no queue until they have stepped up once; from then on it is one for two minutes after the last step.
Far from the camera a huddle looks like a line, and slow walkers seem to stand between two boxes: so a line needs
room for a body between neighbours, and who stands does so for seconds.

Source: the room is the 0.6 m below which contact cannot be avoided, Fruin, Pedestrian Planning and Design (1971).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detector.groups import Group
from detector.types import F64, Observation

_MIN_PEOPLE = 3  # two are always in a line
_THIN = 0.3  # a line is at most this wide for its length (standard deviations)
_SPACING_BH = 0.33  # and its people are at least so far behind one another, on the average: 0.6 m
_STEP_BH = (0.25, 2.0)  # less is shuffling, more is walking
_STILL_BH = 0.15  # who stays within this stands
_STAND_S = 2.0  # for at least this long
_MEMORY_S = 120.0  # how long a step is remembered


@dataclass(slots=True)
class _Feet:
    """One track: where it stood, where it may stand now, and its last step."""

    stood: tuple[float, float]  # px
    maybe: tuple[float, float]
    since_t: float  # of `maybe`
    seen_t: float
    step: tuple[float, float] = (0.0, 0.0)  # body heights on the ground
    step_t: float = -math.inf


class Queues:
    """Remembers the steps of the people of one camera."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all steps (a new epoch)."""
        self._feet: dict[int, _Feet] = {}  # by track id

    def step(self, obs: Observation) -> None:
        """Take in where people are; whoever is gone for `_MEMORY_S` is forgotten."""
        t = obs.stamp.t
        self._feet = {key: feet for key, feet in self._feet.items() if t - feet.seen_t <= _MEMORY_S}
        rows = zip(
            obs.tracks.ids.tolist(),
            obs.feet.tolist(),
            obs.body_px.tolist(),
            obs.depth_gain.tolist(),
            strict=True,
        )
        for key, (x, y), body_px, gain in rows:
            feet = self._feet.setdefault(key, _Feet((x, y), (x, y), t, t))
            feet.seen_t = t
            if math.hypot(*_way(feet.maybe, (x, y), body_px, gain)) > _STILL_BH:
                feet.maybe, feet.since_t = (x, y), t
            elif t - feet.since_t >= _STAND_S:
                way = _way(feet.stood, feet.maybe, body_px, gain)
                if math.hypot(*way) >= _STEP_BH[0]:
                    if math.hypot(*way) <= _STEP_BH[1]:
                        feet.step, feet.step_t = way, t
                    feet.stood = feet.maybe

    def has(self, group: Group, obs: Observation) -> bool:
        """Say whether a group of this picture is a queue."""
        if len(group.rows) < _MIN_PEOPLE:
            return False
        axis = _axis(group, obs)
        if axis is None:
            return False
        feet = (self._feet[key] for key in group.track_ids)
        steps = [one.step for one in feet if obs.stamp.t - one.step_t <= _MEMORY_S]
        along = [float(x * axis[0] + y * axis[1]) for x, y in steps]
        ahead = sum(1 for way in along if way >= _STEP_BH[0])
        back = sum(1 for way in along if -way >= _STEP_BH[0])
        most, fewest = max(ahead, back), min(ahead, back)
        return most >= len(group.rows) / 2 and fewest <= most / 4


def _way(
    start: tuple[float, float], end: tuple[float, float], body_px: float, gain: float
) -> tuple[float, float]:
    """Give a way on the ground, body heights."""
    return (end[0] - start[0]) / body_px, (end[1] - start[1]) * gain / body_px


def _axis(group: Group, obs: Observation) -> F64 | None:
    """Give the direction of a group that is a line on the ground (unit length); None: it is none."""
    spots = obs.feet[group.rows].astype(np.float64)
    spots[:, 1] *= obs.depth_gain[group.rows].mean()
    _, (long, wide), axes = np.linalg.svd(spots - spots.mean(axis=0), full_matrices=False)
    axis: F64 = axes[0]
    along = spots @ axis
    spacing_bh = float(np.ptp(along)) / (len(spots) - 1) / float(obs.body_px[group.rows].mean())
    return axis if wide <= _THIN * long and spacing_bh >= _SPACING_BH else None
