"""Geometry of boxes, on whole arrays. Pure: arrays in, arrays out, nothing remembered.

Boxes are (n, 4) x0 y0 x1 y1 in pixels of the full upright picture; a box with x1 < x0 or y1 < y0 has size 0.
Results are float32 and finite for finite boxes; n = 0 gives empty arrays of the right shape.
"""

from __future__ import annotations

import numpy as np

from detector.types import F32, F64


def widths(boxes: F32) -> F32:
    """Give the widths (n,) in px, never negative."""
    sizes: F32 = np.maximum(boxes[:, 2] - boxes[:, 0], np.float32(0))
    return sizes


def heights(boxes: F32) -> F32:
    """Give the heights (n,) in px, never negative."""
    sizes: F32 = np.maximum(boxes[:, 3] - boxes[:, 1], np.float32(0))
    return sizes


def areas(boxes: F32) -> F32:
    """Give the areas (n,) in px²."""
    return widths(boxes) * heights(boxes)


def centres(boxes: F32) -> F32:
    """Give the middle points (n, 2) x y in px."""
    return (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)


def feet(boxes: F32, width: int, height: int) -> F32:
    """Give the bottom centres (n, 2) x y in px, clamped to 0..width-1, 0..height-1 of the picture.

    Clamped, because a person cut by the picture's edge still stands on a pixel that zones and grids can hold.
    """
    points = np.stack([(boxes[:, 0] + boxes[:, 2]) * np.float32(0.5), boxes[:, 3]], axis=1)
    return np.clip(points, np.float32(0), np.array([width - 1, height - 1], np.float32))


def clip(boxes: F32, width: int, height: int) -> F32:
    """Cut boxes (n, 4) to the picture 0..width, 0..height; a box wholly outside gets size 0 on its edge."""
    return np.clip(boxes, np.float32(0), np.array([width, height, width, height], np.float32))


def iou(a: F32, b: F32) -> F32:
    """Give the intersection over union (n, m) of each of `a` (n, 4) with each of `b` (m, 4), 0-1.

    Two boxes without area have IoU 0.
    """
    # Worked in float64: the sum of two areas of a large picture loses the small overlap in float32.
    shares: F32 = iou64(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
    return shares


def iou64(a: F64, b: F64) -> F64:
    """Give the same as `iou`, for boxes that are float64 already."""
    # Axis by axis: whole rows of numbers are worked through faster than pairs.
    common, down = (
        np.maximum(np.minimum(a[:, None, k + 2], b[:, k + 2]) - np.maximum(a[:, None, k], b[:, k]), 0.0)
        for k in (0, 1)
    )
    common *= down
    size_a, size_b = np.maximum(a[:, 2:] - a[:, :2], 0.0), np.maximum(b[:, 2:] - b[:, :2], 0.0)
    union = (size_a[:, 0] * size_a[:, 1])[:, None] + size_b[:, 0] * size_b[:, 1]
    union -= common
    # Where the union is nothing, so is what is common: 0 over anything is 0.
    union[union <= 0.0] = 1.0
    shares: F64 = np.minimum(common / union, 1.0)
    return shares
