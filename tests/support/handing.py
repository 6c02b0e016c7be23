"""Two people seen by a pose network, who reach out to each other and take their hands back; and things in hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from detector.pairs import Pair, PairSight
from detector.rules.base import View
from detector.types import F32, Detections, Kind, Observation, Stamp, Tracks

START = datetime(2026, 1, 1, tzinfo=UTC)
PERSON = np.array(
    [
        [0, -160], [3, -163], [-3, -163], [6, -162], [-6, -162], [18, -140], [-18, -140], [22, -112], [-22, -112],
        [24, -88], [-24, -88], [11, -90], [-11, -90], [12, -48], [-12, -48], [12, -4], [-12, -4],
    ],
    np.float32,
)  # fmt: skip
FEET = ((200.0, 400.0), (320.0, 400.0))
MEET = np.array([260.0, 290.0], np.float32)  # between them, at the height of the belt
IDS = (4, 9)


def skeletons(t: float, meet_t: float = 2.0, touch_s: float = 0.5, apart: float = 120.0) -> F32:
    """Both people (2, 17, 3) at `t`: hands are together for about `touch_s` around `meet_t`."""
    people = np.stack([PERSON + FEET[0], PERSON + np.array([FEET[0][0] + apart, FEET[1][1]])]).astype(
        np.float32
    )
    away_s = max(abs(t - meet_t) - touch_s / 2, 0.0)
    out = float(np.clip(1 - away_s / 0.4, 0, 1))
    for person, wrist, elbow in ((0, 9, 7), (1, 10, 8)):
        goal = MEET + np.array([(-4, 4)[person], 0], np.float32)
        people[person, wrist] += np.float32(out) * (goal - people[person, wrist])
        people[person, elbow] += np.float32(out / 2) * (goal - people[person, elbow])
    return np.concatenate([people, np.ones((2, 17, 1), np.float32)], axis=2)


def box_at(point: F32, half: float = 6.0) -> list[float]:
    """A small thing's box about a point."""
    x, y = point[:2].tolist()
    return [x - half, y - half, x + half, y + half]


Thing = Callable[
    [float, F32], list[float] | None
]  # where a thing's box is seen at a time, given both skeletons


def handed(t: float, people: F32) -> list[float]:
    """A thing that goes from the first one's hand to the second's at 2 s."""
    return box_at(people[0, 9] if t <= 2.0 else people[1, 10])


def kept(t: float, people: F32) -> list[float]:
    """A thing that stays in the first one's hand."""
    del t
    return box_at(people[0, 9])


def views(
    thing: Thing | None = None,
    *,
    seconds: float = 4.5,
    rate_hz: float = 10.0,
    exchange: float | None = 0.9,
    size: float = 1.0,
    of: Callable[[float], F32] = skeletons,
    kind: Kind = Kind.CUP,
) -> Iterator[View]:
    """What the rule is shown, picture by picture; `size` scales the picture."""
    for n in range(round(seconds * rate_hz)):
        t = n / rate_hz
        people = of(t)
        seen = None if thing is None else thing(t, people)
        people[..., :2] *= size
        boxes = np.array(
            [[p[:, 0].min() - 5, p[:, 1].min() - 10, p[:, 0].max() + 5, p[:, 1].max()] for p in people],
            np.float32,
        )
        tracks = Tracks(
            np.array(IDS, np.int64), boxes, np.zeros((2, 2), np.float32), np.ones(2, np.float32),
            np.zeros(2, np.int64), np.zeros(2), np.full(2, t),
        )  # fmt: skip
        stamp = Stamp("cam", 0, n, t, START + timedelta(seconds=t), 640, 480)
        things = Detections.empty() if seen is None else Detections(
            np.array([seen], np.float32) * np.float32(size), np.array([0.5], np.float32), np.array([kind], np.int64)
        )  # fmt: skip
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
        body = np.full(2, 165.0 * size, np.float32)
        obs = Observation(stamp, tracks, feet, body, np.ones(2, np.float32), objects=things)
        pair = Pair(IDS, (0, 1), 0.7, 165.0 * size, 0.0)
        yield View(
            obs,
            {},
            (
                PairSight(
                    pair,
                    people,
                    {} if exchange is None else {"exchange": exchange, "handshake": 1 - exchange},
                ),
            ),
        )
