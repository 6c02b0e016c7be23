"""Geometry of boxes, on whole arrays. Pure: arrays in, arrays out, nothing remembered.

Boxes are (n, 4) x0 y0 x1 y1 in pixels of the full upright picture; a box with x1 < x0 or y1 < y0 has size 0.
Results are float32 and finite for finite boxes; n = 0 gives empty arrays of the right shape.
"""

from __future__ import annotations

import numpy as np

from detector.types import F32


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
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a64[:, None, :2], b64[None, :, :2])
    high = np.minimum(a64[:, None, 2:], b64[None, :, 2:])
    size = np.maximum(high - low, 0.0)
    common = size[..., 0] * size[..., 1]
    area_a = np.prod(np.maximum(a64[:, 2:] - a64[:, :2], 0.0), axis=1)
    area_b = np.prod(np.maximum(b64[:, 2:] - b64[:, :2], 0.0), axis=1)
    union = area_a[:, None] + area_b[None, :] - common
    ratio = np.divide(common, union, out=np.zeros_like(common), where=union > 0.0)
    shares: F32 = np.minimum(ratio, 1.0).astype(np.float32)
    return shares
