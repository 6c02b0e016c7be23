"""Scripted people before one rule: alerts of a crowd told as a function of time, or of scripted boxes through a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from support.people import HEIGHT, START, WIDTH, Person, observation
from support.scenario import scenario

from detector.episodes import Episodes
from detector.groups import Grouper, GrouperParams
from detector.rules.base import Rule, View
from detector.scene import Scene
from detector.types import Alert, Detections, Phase, Stamp
from detector.zones import Zone

Crowd = Callable[[float], Sequence[Person]]

RATES = (2.0, 5.0, 25.0)
# The zone of the TRK recipes: x 80-560, y 200-620 of a picture of 640 x 640 px.
SIDE_PX = 640
Z = Zone("Z", ((0.125, 0.3125), (0.875, 0.3125), (0.875, 0.96875), (0.125, 0.96875)))


def play(
    rule: Rule, crowd: Crowd, until_s: float, *, fps: float = 5.0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> list[Alert]:
    """Let a crowd act before a rule; give all alerts."""
    groupers = {link: Grouper(GrouperParams(link_bh=link)) for link in rule.links_bh}
    episodes = Episodes(UUID(int=1), "cam", [rule])
    alerts: list[Alert] = []
    for k in range(round(until_s * fps)):
        obs = observation(k / fps, crowd(k / fps), size=size)
        view = View(obs, {link: grouper.step(obs) for link, grouper in groupers.items()})
        alerts += episodes.step(obs.stamp, [rule.step(view)])
    return alerts + episodes.end("source ended")


def watch(rule: Rule, dur_s: float, *objects: str, fps: float = 10.0) -> list[Alert]:
    """Send scripted boxes (see support.scenario) through tracker, body scale and rule; give all alerts."""
    scene = Scene("cam", UUID(int=1), [rule])
    alerts: list[Alert] = []
    for k, moment in enumerate(scenario(dur_s, *objects, fps=fps)):
        boxes = np.array([(b.cx, b.cy, b.w, b.h) for b in moment.boxes], np.float32).reshape(-1, 4)
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        seen = Detections(
            np.hstack([middle - half, middle + half]),
            np.array([b.score for b in moment.boxes], np.float32),
            np.array([b.cls for b in moment.boxes], np.int64),
        )
        stamp = Stamp("cam", 0, k, k / fps, START + timedelta(seconds=k / fps), SIDE_PX, SIDE_PX)
        alerts += scene.step(stamp, seen).alerts
    return alerts + scene.end("source ended")


def opened(alerts: Sequence[Alert]) -> list[Alert]:
    """The beginnings alone."""
    return [alert for alert in alerts if alert.phase is Phase.OPENED]
