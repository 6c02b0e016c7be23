"""Skeletons of the people in crops: windows around close pairs, enlarged, all of them in one call.

    picture --cut--> (INPUT_HEIGHT, INPUT_WIDTH) with a person PERSON_PX tall --network--> people in px of the picture

Wrists need height: a window is cut from the picture's own pixels and scaled so that the pair's mean height is
PERSON_PX, less where the window would not hold them. The output is YOLO's raw pose layout (b, 56, n): centre
x y, width, height, score, 17 x (x, y, confidence), all of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.errors import ModelError
from detector.types import F32
from models.catalog import Card
from models.cpus import usable_cpus
from models.fetch import sha256
from models.letterbox import PAD_GREY
from models.nms import suppress
from models.onnx import ORT_ERRORS, DetectorOptions, check_file, open_session

INPUT_WIDTH, INPUT_HEIGHT = 320, 256
PERSON_PX = 180.0  # how tall a person is on the input
MARGIN = 0.12  # of a person's height, on every side of the two boxes
ROWS = 56  # 4 of the box, 1 score, 17 x 3
MAX_BATCH = 8


@dataclass(frozen=True, slots=True)
class Window:
    """What part of a picture goes onto the input: px of the picture; it may reach beyond the picture."""

    left: float
    top: float
    scale: float  # px of the input per px of the picture


@dataclass(frozen=True, slots=True)
class People:
    """Who was found in one crop, in px of the picture, strongest first."""

    boxes: F32  # (k, 4)
    scores: F32  # (k,)
    skeletons: F32  # (k, 17, 3) x, y, confidence


def window_of(boxes: F32) -> Window:
    """The window that holds a pair's boxes (2, 4), with its middle in the input's middle."""
    heights = boxes[:, 3] - boxes[:, 1]
    margin = MARGIN * float(heights.mean())
    left, top = boxes[:, :2].min(0) - margin
    right, bottom = boxes[:, 2:].max(0) + margin
    scale = min(
        PERSON_PX / float(heights.mean()),
        INPUT_WIDTH / float(right - left),
        INPUT_HEIGHT / float(bottom - top),
    )
    return Window(
        float(left + right) / 2 - INPUT_WIDTH / 2 / scale,
        float(top + bottom) / 2 - INPUT_HEIGHT / 2 / scale,
        scale,
    )


def cut(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The window of a picture (h, w, 3), scaled onto (INPUT_HEIGHT, INPUT_WIDTH, 3); grey beyond the picture."""
    height, width = pixels.shape[:2]
    ends = np.array([window.left + INPUT_WIDTH / window.scale, window.top + INPUT_HEIGHT / window.scale])
    x0, y0 = max(round(window.left), 0), max(round(window.top), 0)
    x1, y1 = min(round(float(ends[0])), width), min(round(float(ends[1])), height)
    canvas = np.full((INPUT_HEIGHT, INPUT_WIDTH, 3), PAD_GREY, np.uint8)
    if x1 <= x0 or y1 <= y0:
        return canvas
    left, top = round((x0 - window.left) * window.scale), round((y0 - window.top) * window.scale)
    left, top = min(max(left, 0), INPUT_WIDTH - 1), min(max(top, 0), INPUT_HEIGHT - 1)
    wide = min(max(round((x1 - x0) * window.scale), 1), INPUT_WIDTH - left)
    high = min(max(round((y1 - y0) * window.scale), 1), INPUT_HEIGHT - top)
    part = Image.fromarray(pixels[y0:y1, x0:x1]).resize((wide, high), Image.Resampling.BILINEAR)
    canvas[top : top + high, left : left + wide] = np.asarray(part)
    return canvas


class PoseNetwork:
    """Finds skeletons. For one thread."""

    def __init__(self, card: Card, path: Path, options: DetectorOptions) -> None:
        """Raises ModelError when the file is no pose network."""
        self._path = path
        check_file(path)
        self.model_sha256 = sha256(path)
        self.provider, self._session = open_session(path, options.provider, options.threads or usable_cpus())
        self._input = self._session.get_inputs()[0].name
        self._min_score, self._max_iou = card.min_score, card.max_iou
        told = self._run(np.zeros((1, 3, INPUT_HEIGHT, INPUT_WIDTH), np.float32))
        if told.ndim != 3 or told.shape[1] != ROWS:
            raise ModelError(
                "not a pose network", where=str(path), wanted=f"(b, {ROWS}, n)", got=str(told.shape)
            )

    def find(self, crops: Sequence[NDArray[np.uint8]], windows: Sequence[Window]) -> list[People]:
        """Give the people of each crop (INPUT_HEIGHT, INPUT_WIDTH, 3), in px of the picture it was cut from."""
        found: list[People] = []
        for start in range(0, len(crops), MAX_BATCH):
            part = np.stack(crops[start : start + MAX_BATCH]).transpose(0, 3, 1, 2)
            batch = np.ascontiguousarray(part, np.float32) * np.float32(1 / 255)
            places = windows[start : start + MAX_BATCH]
            found += [self._decode(one, window) for one, window in zip(self._run(batch), places, strict=True)]
        return found

    def _decode(self, output: F32, window: Window) -> People:
        rows = output[:, output[4] >= self._min_score].T
        half = rows[:, 2:4] / 2
        boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
        kept = suppress(boxes, rows[:, 4], np.zeros(len(rows), np.int64), self._max_iou)
        corner, scale = np.array([window.left, window.top], np.float32), np.float32(window.scale)
        skeletons = rows[kept, 5:].reshape(-1, 17, 3).copy()
        skeletons[..., :2] = skeletons[..., :2] / scale + corner
        places = (boxes[kept] / scale + np.tile(corner, 2)).astype(np.float32)
        return People(places, rows[kept, 4], skeletons)

    def _run(self, batch: F32) -> F32:
        try:
            output: F32 = self._session.run(None, {self._input: batch})[0]
        except ORT_ERRORS as error:
            raise ModelError(
                "the network failed on an input",
                where=str(self._path),
                got=f"{batch.shape}: {str(error)[:200]}",
            ) from error
        return output
