"""Laws of box geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.boxes import areas, centres, clip, feet, heights, iou, widths
from detector.types import F32

coordinate = st.floats(-2000, 2000, width=32)
any_boxes = st.integers(0, 6).flatmap(lambda n: arrays(np.float32, (n, 4), elements=coordinate))


@given(any_boxes, any_boxes)
def test_iou_is_a_share_and_symmetric(a: F32, b: F32) -> None:
    """IoU lies within 0-1, has one entry per pair, and does not depend on which box is named first."""
    ab = iou(a, b)
    assert ab.shape == (len(a), len(b))
    assert ab.dtype == np.float32
    assert ((ab >= 0) & (ab <= 1)).all()
    np.testing.assert_array_equal(ab, iou(b, a).T)


@given(any_boxes)
def test_iou_with_itself_is_one(boxes: F32) -> None:
    """A box with an area overlaps itself wholly; one without an area overlaps nothing."""
    own = np.diag(iou(boxes, boxes))
    np.testing.assert_allclose(own, (areas(boxes.astype(np.float64)) > 0).astype(np.float32))


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [0, 0, 10, 5], 0.5),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [2, 2, 4, 4], 0.04),
        ([5, 5, 5, 5], [5, 5, 5, 5], 0.0),
    ],
)
def test_iou_known_values(a: list[float], b: list[float], wanted: float) -> None:
    """Halves, thirds, touching, nested and point boxes give the values one works out by hand."""
    assert iou(np.array([a], np.float32), np.array([b], np.float32))[0, 0] == pytest.approx(wanted)


@given(any_boxes)
def test_sizes_are_never_negative(boxes: F32) -> None:
    """A box turned inside out has size 0, and an area is width times height."""
    assert (widths(boxes) >= 0).all()
    assert (heights(boxes) >= 0).all()
    np.testing.assert_array_equal(areas(boxes), widths(boxes) * heights(boxes))


@given(any_boxes, st.integers(1, 4000), st.integers(1, 4000))
def test_feet_are_pixels_of_the_picture(boxes: F32, width: int, height: int) -> None:
    """Every foot point can be used as an index into the picture, whatever the box."""
    points = feet(boxes, width, height)
    assert points.shape == (len(boxes), 2)
    assert ((points >= 0) & (points <= (width - 1, height - 1))).all()


@given(any_boxes, st.integers(1, 4000), st.integers(1, 4000))
def test_clip_keeps_boxes_inside_and_does_nothing_twice(boxes: F32, width: int, height: int) -> None:
    """A clipped box lies in the picture, and clipping again changes nothing."""
    once = clip(boxes, width, height)
    assert ((once >= 0) & (once <= (width, height, width, height))).all()
    np.testing.assert_array_equal(clip(once, width, height), once)


def test_centre_and_feet_of_a_box() -> None:
    """The centre is the middle; the feet are the middle of the lower edge."""
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    np.testing.assert_array_equal(centres(boxes), [[20, 40]])
    np.testing.assert_array_equal(feet(boxes, 100, 100), [[20, 60]])
