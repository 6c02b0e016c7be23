"""One gathering is one alert, whatever tracker and groups make of it: the whole scene, from detections on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.people import WIDTH, Person, circle_of, detections, stamp

from detector.rules.gathering import Gathering, GatheringParams
from detector.scene import Scene
from detector.types import Alert, Detections, Phase

PARAMS = GatheringParams(hold_s=10)
DUR_S = 60.0


@dataclass
class Crowd:
    """Five to eight people in a circle who are hidden in turn, missed and seen weakly, while others pass through."""

    seed: int

    def __post_init__(self) -> None:
        self.random = random = np.random.default_rng(self.seed)
        n = int(random.integers(5, 9))
        self.places = circle_of(n, apart=float(random.uniform(50, 80)), depth=0.5)
        self.hidden = [
            (int(random.integers(0, n)), start, start + float(random.uniform(0.3, 5)))
            for start in random.uniform(0, 45, int(random.integers(0, 12))).tolist()
        ]
        self.passers = [
            (
                start,
                float(random.uniform(430, 570)),
                int(random.choice([-1, 1])),
                float(random.uniform(60, 140)),
            )
            for start in random.uniform(0, 45, int(random.integers(0, 8))).tolist()
        ]
        self.dropped = float(random.uniform(0, 0.4))  # pictures, of all

    def at(self, t: float) -> Detections | None:
        """What a network sees of them; None: a picture that is lost."""
        random = self.random
        if random.random() < self.dropped:
            return None
        people = [
            Person(i, place.x + random.normal(0, 4), place.y + random.normal(0, 3))
            for i, place in enumerate(self.places)
            if random.random() > 0.1 and not any(who == i and a <= t < b for who, a, b in self.hidden)
        ]
        for start, y, way, speed in self.passers:
            x = (0 if way > 0 else WIDTH) + way * speed * (t - start)
            if t >= start and 0 <= x <= WIDTH:
                people.append(Person(0, x, y))
        seen = detections(people)
        scores = np.where(random.random(len(people)) < 0.2, 0.3, 0.9).astype(np.float32)
        return Detections(seen.boxes, scores, seen.kinds)


def play(crowd: Crowd, fps: float) -> tuple[list[Alert], int]:
    """All alerts, and how many track ids there were."""
    scene = Scene("cam", UUID(int=1), [Gathering(PARAMS)])
    alerts: list[Alert] = []
    ids: set[int] = set()
    for k in range(round(DUR_S * fps)):
        seen = crowd.at(k / fps)
        if seen is not None:
            judgement = scene.step(stamp(k / fps), seen)
            alerts += judgement.alerts
            ids.update(judgement.tracks.ids.tolist())
    return alerts + scene.end("source ended"), len(ids)


def ends(alerts: list[Alert]) -> list[Phase]:
    return [alert.phase for alert in alerts if alert.phase is not Phase.UPDATED]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), fps=st.sampled_from([3.0, 5.0]))
def test_a_standing_gathering_is_one_alert_from_detections_on(seed: int, fps: float) -> None:
    """Occlusions, misses, weak scores, lost pictures and passers-by break tracks and groups, never the alert in two."""
    alerts, _ = play(Crowd(seed), fps)
    assert ends(alerts) == [Phase.OPENED, Phase.CLOSED]


def test_a_part_that_has_another_key_goes_on_as_the_same() -> None:
    """A group that falls apart for moments and comes back under the key of a part is the same incident."""
    alerts, n_ids = play(Crowd(13), 2.0)
    assert n_ids > 16
    assert ends(alerts) == [Phase.OPENED, Phase.CLOSED]
