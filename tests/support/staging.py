"""Staged scenes of two people for the whole way: hands that meet, with or without a thing in them; networks that read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from support.handing import skeletons
from support.site import write_network

from benchmarks.pixelcode import Box
from benchmarks.skeletoncode import Act, plant, write_acts
from detector.types import F32
from models.catalog import load_card
from streams.pairlook import POSE

SCALE = 1.5
MEET_T, SECONDS = 5.0, 9.0
Where = Callable[[float, F32], F32 | None]  # of the thing, px, given both skeletons


def place(t: float, touch_s: float, shake_px: float = 0.0) -> F32:
    """Both people (2, 17, 3) in the picture of 640 px."""
    people = skeletons(t, meet_t=MEET_T, touch_s=touch_s)
    people[..., 0] = (people[..., 0] - 260) * SCALE + 320
    people[..., 1] = (people[..., 1] - 400) * SCALE + 600
    if abs(t - MEET_T) < touch_s / 2:
        for person, wrist in ((0, 9), (1, 10)):
            people[person, wrist, 1] += np.float32(shake_px * np.sin((t - MEET_T) * 2 * np.pi * 2.5))
    return people


def film(path: Path, thing: Where, touch_s: float = 0.5, shake_px: float = 0.0) -> Path:
    """Write the scene at ten pictures a second."""
    acts = []
    for n in range(round(SECONDS * 10)):
        t = n / 10
        people = place(t, touch_s, shake_px)
        low, high = people[..., :2].min(axis=1) - 8, people[..., :2].max(axis=1) + 4
        # A body's box does not grow with the arm that reaches out.
        boxes = [
            Box(float(x), float(a[1] + b[1]) / 2, 80, float(b[1] - a[1]))
            for x, a, b in zip(people[:, 11:13, 0].mean(axis=1), low, high, strict=True)
        ]
        at = thing(t, people)
        if at is not None:
            boxes.append(Box(float(at[0]), float(at[1]), 30, 30, 0.8, 1))
        acts.append(Act(t, boxes, people))
    return write_acts(path, acts)


def handed(t: float, people: F32) -> F32:
    """From the first one's hand to the second's."""
    return people[0, 9, :2] if t <= MEET_T else people[1, 10, :2]


def kept(t: float, people: F32) -> F32:
    """In the first one's other hand all the time."""
    del t
    return people[0, 10, :2]


def write_networks(folder: Path) -> Path:
    """A detector that reads boxes and a pose network that reads skeletons; give the folder to WATCHPOST_NETWORKS."""
    write_network(folder)
    plant(load_card(POSE), folder)
    return folder
