"""Letterbox geometry: aspect kept, the way back exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.letterbox import Letterbox

SIZES = [(1280, 720), (720, 1280), (640, 640), (333, 247), (3840, 1080)]
side = st.integers(1, 8000)


def corners(width: int, height: int) -> np.ndarray:
    """Boxes at the corners and in the middle of a picture."""
    w, h = width, height
    return np.array(
        [[0, 0, w, h], [0, 0, w / 3, h / 3], [w / 2, h / 4, w, h], [w / 5, h / 5, w / 2, h / 2]], np.float32
    )


@pytest.mark.parametrize("size", SIZES)
def test_square_input_maps_four_boxes_back(size: tuple[int, int]) -> None:
    """Boxes on a 640 x 640 input come back to the picture within a pixel, at any aspect."""
    box = Letterbox.within(*size, 640, 640)
    boxes = corners(*size)
    assert max(box.width, box.height) == 640
    assert abs(box.width / box.height - size[0] / size[1]) < 0.02 * size[0] / size[1]
    assert np.abs(box.to_picture(box.to_input(boxes)) - boxes).max() <= 0.5


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((1280, 720), (640, 384, 0, 12)),
        ((768, 576), (640, 480, 0, 0)),
        ((720, 1280), (384, 640, 12, 0)),
        ((640, 640), (640, 640, 0, 0)),
        ((3840, 1080), (640, 192, 0, 6)),
        ((1, 5000), (32, 640, 15, 0)),
    ],
)
def test_rectangle_is_the_smallest_that_holds_the_picture(
    size: tuple[int, int], wanted: tuple[int, ...]
) -> None:
    """A free input is cut to the picture's aspect, in multiples of the stride, the picture in its middle."""
    box = Letterbox.rectangle(*size, 640, 32)
    assert (box.input_width, box.input_height, box.left, box.top) == wanted


@given(side, side, st.sampled_from([320, 448, 640, 650, 1280]), st.data())
def test_there_and_back_is_identity(width: int, height: int, side_px: int, data: st.DataObject) -> None:
    """Any box inside any picture survives the way to the input and back within half a pixel."""
    box = Letterbox.rectangle(width, height, side_px, 32)
    share = st.floats(0, 1, width=32)
    x0, x1 = sorted(data.draw(share) * width for _ in range(2))
    y0, y1 = sorted(data.draw(share) * height for _ in range(2))
    boxes = np.array([[x0, y0, x1, y1]], np.float32)
    assert box.input_width % 32 == box.input_height % 32 == 0
    assert box.left + box.width <= box.input_width
    assert box.top + box.height <= box.input_height
    assert np.abs(box.to_picture(box.to_input(boxes)) - boxes).max() <= 0.5


@given(side, side)
def test_boxes_are_clipped_to_the_picture(width: int, height: int) -> None:
    """A box that reaches into the padding or beyond ends at the picture's edge."""
    box = Letterbox.within(width, height, 640, 384)
    boxes = box.to_picture(np.array([[-50, -50, 700, 500]], np.float32))
    assert boxes.tolist() == [[0, 0, width, height]]
