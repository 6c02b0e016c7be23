"""Where a picture lies on a network's input, and the exact way back. Arithmetic only; the caller resizes.

    0                     input_width
  0 +-----------------------+
    |   pad, grey 114       |
top +-----------------------+
    |   picture, resized to |      x_input = x_picture * width / picture_width + left
    |   width x height      |      y_input = y_picture * height / picture_height + top
    +-----------------------+
    |   pad, grey 114       |
    +-----------------------+ input_height
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from detector.boxes import clip
from detector.types import F32

PAD_GREY = 114  # of 255; what the networks were trained with


@dataclass(frozen=True, slots=True)
class Letterbox:
    """All px. Aspect is kept up to the rounding of the size, and the way back undoes that rounding too."""

    picture_width: int
    picture_height: int
    width: int  # of the resized picture
    height: int
    left: int  # its place on the input
    top: int
    input_width: int
    input_height: int

    @classmethod
    def rectangle(cls, picture_width: int, picture_height: int, side_px: int, stride: int) -> Self:
        """The smallest input in multiples of `stride` that has the picture's longest side at `side_px`."""
        longest = max(picture_width, picture_height)
        sides = (max(1, round(side * side_px / longest)) for side in (picture_width, picture_height))
        return cls.within(picture_width, picture_height, *(-(-side // stride) * stride for side in sides))

    @classmethod
    def within(cls, picture_width: int, picture_height: int, input_width: int, input_height: int) -> Self:
        """The picture as large as it fits into an input of a given size, in its middle."""
        ratio = min(input_width / picture_width, input_height / picture_height)
        width, height = max(1, round(picture_width * ratio)), max(1, round(picture_height * ratio))
        left, top = (input_width - width) // 2, (input_height - height) // 2
        return cls(picture_width, picture_height, width, height, left, top, input_width, input_height)

    def to_input(self, boxes: F32) -> F32:
        """Boxes (n, 4) x0 y0 x1 y1 from px of the picture to px of the input."""
        return boxes * self._scale() + self._offset()

    def to_picture(self, boxes: F32) -> F32:
        """Boxes (n, 4) x0 y0 x1 y1 from px of the input to px of the picture, clipped to it."""
        return clip((boxes - self._offset()) / self._scale(), self.picture_width, self.picture_height)

    def _scale(self) -> F32:
        x, y = self.width / self.picture_width, self.height / self.picture_height
        return np.array([x, y, x, y], np.float32)

    def _offset(self) -> F32:
        return np.array([self.left, self.top, self.left, self.top], np.float32)
