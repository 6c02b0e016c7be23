"""From a network's raw output to boxes, scores and kinds on its input. Pure numpy; no picture, no session.

    RAW      (b, 4 + n_classes, n)   YOLO v8 to v11: centre x y, width, height, class scores; n = every anchor
    OBJECT   (b, n, 5 + n_classes)   YOLO v5: the same rows first, with an objectness before the class scores
    END2END  (b, n, 6)               YOLO v10, v26: x0 y0 x1 y1, score, class number; n is a few hundred
    CUT      per stride (b, 4 * bins, h, w) and (b, n_classes, h, w): YOLO v8 to v11 cut before its decoding
             by models/export_script.py; how far each side is, as a distribution, and class logits

CUT gives the numbers of RAW for less time: sigmoid and distributions are worked out for what is found only.
Source: Li et al., Generalized Focal Loss (NeurIPS 2020), section 3.2, for the distributions.

A file says its class names, stride and task in its metadata; they are held against the card.
"""

from __future__ import annotations

import ast
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from detector.errors import ModelError
from detector.types import F32, I64, Detections, Kind
from models.catalog import Card
from models.letterbox import Letterbox
from models.nms import suppress

log = logging.getLogger(__name__)

MAX_END2END_ROWS = 1000  # more rows of six numbers than this are the anchors of a one-class network


class Layout(Enum):
    """How an output's axes are to be read."""

    RAW = "raw"
    OBJECT = "raw with objectness"
    END2END = "end to end"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Head:
    """How to read one network's output."""

    layout: Layout
    rows: I64  # (k,) class numbers that Watchpost uses
    kinds: I64  # (n_classes,) Kind of each class number, -1 for one that is not used
    min_score: float
    max_iou: float

    def decode(self, outputs: Sequence[F32], box: Letterbox) -> Detections:
        """One picture's outputs, without batch axis, as detections in px of the picture, strongest first.

        An anchor counts as what the network holds it to be most; carried things suppress one another whatever
        their kinds, so that one object is not two.
        """
        if self.layout is Layout.END2END:
            boxes, scores, classes = self._end2end(outputs[0])
        elif self.layout is Layout.CUT:
            strides = [self._cut(*maps, box) for maps in zip(outputs[::2], outputs[1::2], strict=True)]
            boxes, scores, classes = (np.concatenate(parts) for parts in zip(*strides, strict=True))
        else:
            boxes, scores, classes = self._raw(outputs[0])
        known = (classes >= 0) & (classes < len(self.kinds))
        kinds = np.where(known, self.kinds[np.where(known, classes, 0)], -1)
        used = (kinds >= 0) & np.isfinite(boxes).all(axis=1)
        boxes, scores, kinds = box.to_picture(boxes[used]), scores[used], kinds[used]
        kept = suppress(boxes, scores, (kinds != Kind.PERSON).astype(np.int64), self.max_iou)
        return Detections(boxes[kept], np.minimum(scores[kept], np.float32(1)), kinds[kept])

    def _raw(self, output: F32) -> tuple[F32, F32, I64]:
        # Only the anchors that can pass are touched: a handful of the several thousand.
        if self.layout is Layout.RAW:
            passing = np.flatnonzero(output[4 + self.rows].max(axis=0) >= self.min_score)
            found = output[:, passing].astype(np.float32)
            sizes, scores = found[:4], found[4:]
        else:
            found = output[output[:, 4] >= self.min_score].T.astype(np.float32)
            sizes, scores = found[:4], found[5:] * found[4]
        classes = scores.argmax(axis=0)
        best = scores.max(axis=0, initial=0)
        strong = best >= self.min_score
        half = sizes[2:] / 2
        boxes = np.concatenate([sizes[:2] - half, sizes[:2] + half]).T
        return boxes[strong], best[strong], classes[strong]

    def _cut(self, sides: F32, classes: F32, box: Letterbox) -> tuple[F32, F32, I64]:
        _, rows, columns = classes.shape
        flat = classes.reshape(len(classes), -1)
        limit = math.log(self.min_score / max(1 - self.min_score, 1e-9))
        passing = np.flatnonzero(flat[self.rows].max(axis=0) >= limit)
        logits = flat[:, passing].astype(np.float32)
        numbers = logits.argmax(axis=0)
        best = 1 / (1 + np.exp(-logits.max(axis=0)))
        # Left, top, right, bottom of each cell's middle, in cells: the mean of a softmax over the bins.
        bins = sides.reshape(4, -1, rows * columns)[:, :, passing].astype(np.float32)
        weights = np.exp(bins - bins.max(axis=1, keepdims=True))
        places = np.arange(bins.shape[1], dtype=np.float32)[:, None]
        reach = (weights * places).sum(axis=1) / weights.sum(axis=1)
        middle = np.stack([passing % columns, passing // columns]).astype(np.float32) + np.float32(0.5)
        boxes = np.concatenate([middle - reach[:2], middle + reach[2:]]).T
        cell_px = np.float32(box.input_width / columns)
        return boxes * cell_px, best, numbers

    def _end2end(self, output: F32) -> tuple[F32, F32, I64]:
        found = output[output[:, 4] >= self.min_score].astype(np.float32)
        return found[:, :4], found[:, 4], found[:, 5].astype(np.int64)


def read_head(
    shapes: Sequence[tuple[int, ...]], metadata: Mapping[str, str], card: Card, min_score: float, where: str
) -> Head:
    """The head of a network whose outputs for one picture have `shapes`. Raises ModelError on a mismatch."""
    layout, n_classes = _layout(shapes, where)
    for key, wanted in (("task", card.task), ("stride", str(card.stride))):
        if metadata.get(key, wanted) != wanted:
            raise ModelError(
                f"the file's {key} is not the card's", where=where, wanted=wanted, got=metadata[key]
            )
    numbers = _class_numbers(metadata, card, where)
    n_classes = n_classes or max(numbers) + 1
    if max(numbers) >= n_classes:
        raise ModelError(
            "more classes named than put out", where=where, wanted=f"{n_classes}", got=f"{max(numbers) + 1}"
        )
    kinds = np.full(n_classes, -1, np.int64)
    for number, entry in zip(numbers, card.classes, strict=True):
        kinds[number] = entry.kind
    return Head(layout, np.flatnonzero(kinds >= 0), kinds, min_score, card.max_iou)


def _layout(shapes: Sequence[tuple[int, ...]], where: str) -> tuple[Layout, int]:
    """Which layout, and how many classes (0: the output does not tell)."""
    if len(shapes) > 1 and all(len(shape) == 4 for shape in shapes):
        sides, classes = shapes[::2], shapes[1::2]
        if [shape[2:] for shape in sides] == [shape[2:] for shape in classes]:
            return Layout.CUT, classes[0][1]
    if len(shapes[0]) == 3:
        _, rows, columns = shapes[0]
        if columns == 6 and 6 < rows <= MAX_END2END_ROWS:
            return Layout.END2END, 0
        if 4 < rows < columns:
            return Layout.RAW, rows - 4
        if 5 < columns < rows:
            return Layout.OBJECT, columns - 5
    wanted = "(b, 4 + classes, anchors), (b, anchors, 5 + classes) or (b, n, 6)"
    raise ModelError(
        "the output is no detection head known here",
        where=where,
        wanted=wanted,
        got=", ".join(map(str, shapes)),
    )


def _class_numbers(metadata: Mapping[str, str], card: Card, where: str) -> list[int]:
    """The network's number of each of the card's classes."""
    text = metadata.get("names")
    if text is None:
        numbers = [entry.index for entry in card.classes]
        if None in numbers:
            raise ModelError(
                "the file carries no class names", where=where, wanted="names, or an index in the card"
            )
        log.warning(
            "class numbers taken from the card, the file has no names network=%s file=%s", card.name, where
        )
        return [number for number in numbers if number is not None]
    names = _names(text, where)
    missing = [entry.name for entry in card.classes if entry.name.casefold() not in names]
    if missing:
        got = f"{len(names)} classes: {', '.join(list(names)[:20])}"
        raise ModelError(
            "the card's classes are not in the file", where=where, wanted=", ".join(missing), got=got
        )
    return [names[entry.name.casefold()] for entry in card.classes]


def _names(text: str, where: str) -> dict[str, int]:
    """Class numbers by case-folded name, from a literal list or dict. Never evaluated as code."""
    try:
        literal = ast.literal_eval(text)
        pairs = literal.items() if isinstance(literal, dict) else enumerate(literal)
        return {str(name).casefold(): int(number) for number, name in pairs}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ModelError(
            "the file's class names cannot be read",
            where=where,
            wanted="a dict or list of names",
            got=repr(text[:80]),
        ) from error
