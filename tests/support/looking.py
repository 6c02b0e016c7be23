"""Two people in reach on grey pictures, and a stand-in for the pose network that always finds the same people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import av
import numpy as np
from numpy.typing import NDArray
from support.handing import PERSON

from detector.rules.handoff import Handoff
from detector.scene import Scene, Watched
from detector.types import Detections, Stamp
from models.pose import People, Window
from streams.frame import Frame

START = datetime(2026, 1, 1, tzinfo=UTC)
WIDTH, HEIGHT = 640, 480


class Pose:
    """Stands for the pose network: always finds these people, and notes how it was asked."""

    def __init__(self, *places: tuple[float, float]) -> None:
        self.calls: list[int] = []
        bodies = np.stack([PERSON + place for place in places]) if places else np.zeros((0, 17, 2))
        self._skeletons = np.concatenate([bodies, np.ones((len(places), 17, 1))], axis=2).astype(np.float32)

    def find(self, crops: Sequence[NDArray[np.uint8]], windows: Sequence[Window]) -> list[People]:
        """The same people in every crop."""
        assert len(crops) == len(windows)
        self.calls.append(len(crops))
        points = self._skeletons[..., :2]
        boxes = np.concatenate([points.min(axis=1) - 5, points.max(axis=1) + 5], axis=1).astype(np.float32)
        scores = np.full(len(boxes), 0.9, np.float32)
        return [People(boxes, scores, self._skeletons.copy()) for _ in crops]


LEFT, RIGHT = (200.0, 400.0), (300.0, 400.0)


def frame(camera_id: str, n: int) -> Frame:
    """A grey picture, the n-th of ten a second."""
    video = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), format="rgb24")
    t = n / 10
    return Frame(Stamp(camera_id, 0, n, t, START + timedelta(seconds=t), WIDTH, HEIGHT), video)


def people(*places: tuple[float, float], scale: float = 1.0) -> Detections:
    """People who stand there."""
    boxes = np.array([[x - 29, y - 168 * scale, x + 29, y + 1] for x, y in places], np.float32)
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros(len(boxes), np.int64))


def watch(scene: Scene, camera_id: str, found: Detections, n: int) -> tuple[Frame, Watched]:
    """One picture, half judged."""
    picture = frame(camera_id, n)
    return picture, scene.track(picture.stamp, found)


def scene(camera_id: str) -> Scene:
    return Scene(camera_id, UUID(int=1), [Handoff()])
