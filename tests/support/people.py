"""Made-up people for detector tests: where they stand (px) becomes tracks and observations, time injected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from detector.types import Detections, Observation, Stamp, Tracks

BODY_PX = 100.0
WIDTH, HEIGHT = 1280, 960
START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """One person at a foot point, px; velocity px/s."""

    id: int
    x: float
    y: float = 500.0
    vx: float = 0.0
    vy: float = 0.0


def stamp(
    t: float, *, camera_id: str = "cam", epoch: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Stamp:
    """A stamp at stream second t."""
    return Stamp(camera_id, epoch, round(t * 1000), t, START + timedelta(seconds=t), *size)


def tracks(t: float, people: Sequence[Person], *, body_px: float = BODY_PX, born_t: float = 0.0) -> Tracks:
    """Tracks of people of one height, all matched at t."""
    n = len(people)
    w = body_px * 0.4
    return Tracks(
        ids=np.array([p.id for p in people], np.int64),
        boxes=np.array([(p.x - w / 2, p.y - body_px, p.x + w / 2, p.y) for p in people], np.float32).reshape(
            n, 4
        ),
        velocity=np.array([(p.vx, p.vy) for p in people], np.float32).reshape(n, 2),
        scores=np.full(n, 0.9, np.float32),
        kinds=np.zeros(n, np.int64),
        born_t=np.full(n, born_t),
        seen_t=np.full(n, t),
    )


def observation(
    t: float, people: Sequence[Person], *, size: tuple[int, int] = (WIDTH, HEIGHT), gain: float = 1.0
) -> Observation:
    """What rules are given of these people: body height BODY_PX everywhere."""
    n = len(people)
    return Observation(
        stamp=stamp(t, size=size),
        tracks=tracks(t, people),
        feet=np.array([(p.x, p.y) for p in people], np.float32).reshape(n, 2),
        body_px=np.full(n, BODY_PX, np.float32),
        depth_gain=np.full(n, gain, np.float32),
    )


def detections(people: Sequence[Person], *, body_px: float = BODY_PX) -> Detections:
    """Detections of people of one height."""
    rows = tracks(0.0, people, body_px=body_px)
    return Detections(rows.boxes, rows.scores, rows.kinds)


def row_of(
    n: int, *, first_id: int = 1, x: float = 500.0, y: float = 500.0, apart: float = 60.0
) -> list[Person]:
    """n people in a row, `apart` px from one another."""
    return [Person(first_id + i, x + i * apart, y) for i in range(n)]


def circle_of(
    n: int, *, x: float = 600.0, y: float = 500.0, apart: float = 90.0, depth: float = 1.0
) -> list[Person]:
    """n people in a circle on the ground, neighbours `apart` px apart; depth looks `depth` as long."""
    radius = apart / (2 * np.sin(np.pi / n))
    corners = 2 * np.pi * np.arange(n) / n
    return [
        Person(i + 1, x + radius * np.cos(a), y + depth * radius * np.sin(a)) for i, a in enumerate(corners)
    ]
