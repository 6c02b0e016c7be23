"""Who a track is: a new track id in the place of one just lost is the same person. For rules about one person.

A person is named by the first track id they had. What is remembered is bounded by `heir_s`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.types import Observation

HEIR_S = 3.0  # a new id in the place of one lost this recently is the same person; more: more joining
HEIR_BH = 0.6  # how near that place must be, body heights; more: more chance that it is somebody else


@dataclass(slots=True)
class _Known:
    person: int
    t: float
    foot: tuple[float, float]
    body_px: float


class Persons:
    """Names the people of one camera, picture by picture."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everybody (a new epoch)."""
        self._known: dict[int, _Known] = {}  # by track id

    def step(self, obs: Observation) -> list[int]:
        """Give the person of each row of the observation."""
        t, ids = obs.stamp.t, obs.tracks.ids.tolist()
        here = set(ids)
        known = {key: one for key, one in self._known.items() if t - one.t <= HEIR_S}
        lost = {key: one for key, one in known.items() if key not in here}
        people = []
        rows = zip(ids, obs.feet.tolist(), obs.body_px.tolist(), strict=True)
        for key, (x, y), body_px in rows:
            person = known[key].person if key in known else key
            if key not in known and lost:
                heir = min(lost, key=lambda k: math.dist(lost[k].foot, (x, y)))
                if math.dist(lost[heir].foot, (x, y)) <= HEIR_BH * lost[heir].body_px:
                    person = lost.pop(heir).person
                    del known[heir]
            known[key] = _Known(person, t, (x, y), body_px)
            people.append(person)
        self._known = known
        return people
