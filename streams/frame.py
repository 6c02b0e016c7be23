"""One decoded picture with its stamp. It stays as the decoder gave it (YUV) until somebody asks for pixels.

What is handed out is always upright, RGB, without line padding and under the camera's privacy masks. Size and
place are those of the upright picture.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from detector.types import Stamp
from streams.masks import NO_MASKS, Masks

_MAX_SCALERS = 32


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a camera. Safe to read from several threads; nothing in it changes."""

    stamp: Stamp
    video: av.VideoFrame  # as decoded: not turned, not masked, any pixel format
    masks: Masks = NO_MASKS

    @property
    def width(self) -> int:
        """Pixels, upright picture."""
        return self.stamp.width

    @property
    def height(self) -> int:
        """Pixels, upright picture."""
        return self.stamp.height

    @property
    def for_network(self) -> Frame:
        """What the network may see: a site may choose to mask only what people see."""
        return self if self.masks.blind_detector else replace(self, masks=NO_MASKS)

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """The whole upright picture, scaled: (height, width, 3) uint8 RGB, contiguous.

        It is scaled before it is turned: a turn costs by the pixel, and there are fewer of them then. AREA
        because it is both nearer to a Lanczos reference and cheaper than BILINEAR when a picture shrinks
        (768x576 to 448x336: 40.7 against 38.4 dB, 0.98 against 1.05 ms; 1080p to 640x360: 42.0 against
        40.2 dB, 1.8 against 2.4 ms).
        """
        turns = quarter_turns(self.video)
        across, down = (height, width) if turns % 2 else (width, height)
        scaled = _scalers.get(self.video, across, down).reformat(
            self.video, width=across, height=down, format="rgb24", interpolation=Interpolation.AREA, threads=1
        )
        pixels = np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns), dtype=np.uint8)
        return self.masks.on_rgb(pixels, (self.width, self.height)) if self.masks else pixels

    def jpeg(self, quality: int = 85) -> bytes:
        """The upright picture in full size as a JPEG file."""
        out = io.BytesIO()
        Image.fromarray(self.rgb(self.width, self.height)).save(out, "JPEG", quality=quality)
        return out.getvalue()


def quarter_turns(video: av.VideoFrame) -> int:
    """How many quarter turns against the clock make it upright, 0-3, from its display matrix."""
    return round(video.rotation / 90) % 4


def upright_size(video: av.VideoFrame) -> tuple[int, int]:
    """Width and height in px once it is upright."""
    if quarter_turns(video) % 2:
        return video.height, video.width
    return video.width, video.height


class _Scalers(threading.local):
    """The scalers of the calling thread, one per pair of sizes.

    Setting one up costs as much as using it (768x576 to 640x480: 2.3 ms each time, 1.2 ms when kept), and one
    must not be used by two threads at once.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int, str, int, int], VideoReformatter] = OrderedDict()

    def get(self, video: av.VideoFrame, width: int, height: int) -> VideoReformatter:
        key = (video.width, video.height, video.format.name, width, height)
        scaler = self._kept.pop(key, None) or VideoReformatter()
        self._kept[key] = scaler
        if len(self._kept) > _MAX_SCALERS:
            self._kept.popitem(last=False)
        return scaler


_scalers = _Scalers()
