"""Scripts of moving boxes played before a scene: detections without a network, time injected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import numpy as np
from support.people import stamp
from support.scenario import scenario

from benchmarks.pixelcode import Moment
from detector.rules.base import Rule
from detector.scene import Judgement, Scene
from detector.types import Detections, Kind

SIDE_PX = 640
_KINDS = np.array([Kind.PERSON, Kind.BACKPACK])


def seen_in(moment: Moment, scale: float = 1.0) -> Detections:
    """What a network says of one moment in a picture of `scale` times 640 px."""
    boxes = np.array(
        [(b.cx - b.w / 2, b.cy - b.h / 2, b.cx + b.w / 2, b.cy + b.h / 2) for b in moment.boxes], np.float32
    ).reshape(-1, 4)
    return Detections(
        boxes * np.float32(scale),
        np.array([box.score for box in moment.boxes], np.float32),
        _KINDS[[box.cls for box in moment.boxes]],
    )


def thinned(moments: Iterable[Moment], keep: Callable[[int, float], bool]) -> list[Moment]:
    """Those pictures of a script for which `keep(number, t)` says so: dropped frames."""
    return [moment for n, moment in enumerate(moments) if keep(n, moment.t)]


def act(
    rules: Sequence[Rule], dur_s: float, *objects: str, fps: float = 10.0, scale: float = 1.0
) -> tuple[list[Judgement], Scene]:
    """What a scene says of a script, picture by picture; the scene is not ended."""
    return play(rules, scenario(dur_s, *objects, fps=fps), scale)


def play(
    rules: Sequence[Rule], moments: Iterable[Moment], scale: float = 1.0
) -> tuple[list[Judgement], Scene]:
    """The same for moments that were made before."""
    scene = Scene("cam", UUID(int=7), rules)
    side = round(SIDE_PX * scale)
    return [
        scene.step(stamp(moment.t, size=(side, side)), seen_in(moment, scale)) for moment in moments
    ], scene
