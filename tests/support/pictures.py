"""Pictures for the networks: arrays that can give themselves in any size."""

from __future__ import annotations

from collections.abc import Iterable

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pixelcode import Box, picture_yuv


class ArrayPicture:
    """A `models.onnx.Picture` made of an (h, w, 3) uint8 array."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._rgb = rgb
        self.height, self.width = rgb.shape[:2]

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        if (width, height) == (self.width, self.height):
            return self._rgb
        return np.asarray(Image.fromarray(self._rgb).resize((width, height), Image.Resampling.BILINEAR))


def coded_picture(boxes: Iterable[Box]) -> ArrayPicture:
    """The 640 x 640 px picture that tells `boxes` to the network of `pixelcode.write_model`."""
    frame = av.VideoFrame.from_ndarray(picture_yuv(boxes), format="yuv420p")
    return ArrayPicture(frame.to_ndarray(format="rgb24"))
