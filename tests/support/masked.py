"""Films with something to hide: grey all over, and a colour that moves about under a mask and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from detector.zones import Zone

COLOUR = (230, 20, 200)  # of what is hidden
_GREY = 130


def under(zones: Iterable[Zone], width: int, height: int) -> NDArray[np.bool_]:
    """The pixels of a picture whose centre is under one of these masks: the rules' own test of a zone."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    spots = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    hidden = np.zeros(width * height, bool)
    for zone in zones:
        hidden |= zone.contains(spots, width, height)
    return hidden.reshape(height, width)


def peep_film(
    path: Path,
    zones: Iterable[Zone],
    *,
    n: int = 20,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    b_frames: int = 0,
) -> Path:
    """`n` pictures at 10 a second that show COLOUR, in moving stripes, under the masks of the upright picture."""
    turns = round(rotation / 90) % 4
    width, height = size[::-1] if turns % 2 else size
    hidden = under(zones, width, height)
    options: dict[str, str] = {}
    if codec == "libx264":
        options = {"preset": "ultrafast", "bf": str(b_frames)}
    if codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        for k in range(n):
            picture = np.full((height, width, 3), _GREY, np.uint8)
            stripes = (np.arange(width) + 7 * k) // 20 % 2 == 0
            picture[hidden & stripes] = COLOUR
            lying = np.ascontiguousarray(np.rot90(picture, -turns))
            frame: Any = av.VideoFrame.from_ndarray(lying, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def n_seen(path: Path) -> int:
    """How many pixels of all frames have the hidden colour."""
    n = 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            pixels = frame.to_ndarray(format="rgb24").astype(int)
            n += int((np.abs(pixels - np.array(COLOUR)).max(axis=2) < 90).sum())
    return n
