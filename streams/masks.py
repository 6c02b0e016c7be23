"""Privacy masks: what lies under one changes no byte of any picture that is shown, stored or sent.

A polygon is filled after a picture has been scaled and turned, since that is cheapest. It is therefore grown
first by as far as scaling, turning and thinned-out colour can carry a pixel: the fill may cover a little more
than was drawn, never less.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detector.types import Mask
from detector.zones import Zone

_LUMA, _CHROMA = 16, 128  # black
_REACH_OUT_PX = 3  # how far the scaler and the drawing of the polygon carry a pixel, in the scaled picture
_REACH_IN_PX = 8  # how far colour does that is kept for 4 pixels together, in the picture as it came
_KEPT = 64  # raster pictures: some sizes of each camera


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of one camera; false when there are none."""

    zones: tuple[Zone, ...] = ()
    blind_detector: bool = True  # the network sees the fill too, not the picture under it

    def __bool__(self) -> bool:
        return bool(self.zones)

    @property
    def version(self) -> str:
        """Tells one set of polygons from any other: sha256, "" without masks."""
        if not self.zones:
            return ""
        return hashlib.sha256(json.dumps([zone.polygon for zone in self.zones]).encode()).hexdigest()

    def on_rgb(self, pixels: NDArray[np.uint8], came: tuple[int, int]) -> NDArray[np.uint8]:
        """A masked copy of an upright (h, w, 3) picture; `came`: its width and height before scaling."""
        height, width, _ = pixels.shape
        masked = pixels.copy()  # it may be the decoder's own memory
        masked[self._covered(width, height, came)] = 0
        return masked

    def on_yuv420p(self, picture: av.VideoFrame, came: tuple[int, int]) -> av.VideoFrame:
        """A masked copy of an upright picture of even size, without its time."""
        width, height = picture.width, picture.height
        planes = picture.to_ndarray(format="yuv420p").reshape(-1).copy()
        covered = self._covered(width, height, came)
        luma, chroma = np.split(planes, [width * height])
        luma[covered.reshape(-1)] = _LUMA
        pairs = covered.reshape(height // 2, 2, width // 2, 2).any(axis=(1, 3)).reshape(-1)
        chroma[np.tile(pairs, 2)] = _CHROMA
        return av.VideoFrame.from_ndarray(planes.reshape(-1, width), format="yuv420p")

    def _covered(self, width: int, height: int, came: tuple[int, int]) -> Mask:
        grown = max(width / came[0], height / came[1])
        return _raster(self.zones, width, height, _REACH_OUT_PX + math.ceil(_REACH_IN_PX * grown))


NO_MASKS = Masks()


@lru_cache(maxsize=_KEPT)
def _raster(zones: tuple[Zone, ...], width: int, height: int, reach_px: int) -> Mask:
    """Which pixels (height, width) are under a polygon or within `reach_px` of one."""
    image = Image.new("1", (width, height))
    draw = ImageDraw.Draw(image)
    for zone in zones:
        # Filled and outlined: a sliver thinner than a pixel is drawn too.
        draw.polygon([(x * width, y * height) for x, y in zone.polygon], fill=1, outline=1)
    covered = np.array(image, bool)
    for _ in range(reach_px):
        near = covered.copy()
        near[1:] |= covered[:-1]
        near[:-1] |= covered[1:]
        covered = near.copy()
        covered[:, 1:] |= near[:, :-1]
        covered[:, :-1] |= near[:, 1:]
    covered.flags.writeable = False
    return covered
