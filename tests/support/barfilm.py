"""Small real videos whose pictures tell their number: a grey ramp with a white bar that moves to the right.

The bar's left edge is BAR_PX * n from the left. Also looks at and changes boxes of MP4 files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BAR_PX = 4


def picture(n: int, width: int, height: int) -> NDArray[np.uint8]:
    """RGB picture number `n`, (height, width, 3)."""
    ramp = np.linspace(30, 120, height, dtype=np.uint8)[:, None, None]
    rgb = np.broadcast_to(ramp, (height, width, 3)).copy()
    rgb[:, BAR_PX * n : BAR_PX * n + 16] = 255
    return rgb


def number_of(rgb: NDArray[np.uint8]) -> int:
    """The number of a picture that may have gone through a codec."""
    bright = rgb[:, :, 1].mean(axis=0) > 180
    return round(int(np.argmax(bright)) / BAR_PX)


def write_film(
    path: Path,
    n: int,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (448, 96),
    fps: int = 10,
    gop: int = 10,
    pix_fmt: str = "yuv420p",
    b_frames: int = 0,
    times: Iterable[float] | None = None,
    alaw: bool = False,
) -> Path:
    """Write `n` pictures, shown at `times` (s) or at `fps`; `alaw` adds a G.711 sound track."""
    options = {"bf": str(b_frames)} if codec == "libx264" else {}
    if codec == "libx264":
        options |= {"preset": "veryfast", "x264-params": "scenecut=0"}
    if codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": f"bframes={b_frames}:log-level=none"}
    if codec == "libvpx":
        options = {"deadline": "realtime", "cpu-used": "8"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        sound = out.add_stream("pcm_alaw", rate=8000, layout="mono") if alaw else None
        for k, t in zip(range(n), times if times is not None else (k / fps for k in range(n)), strict=False):
            frame = av.VideoFrame.from_ndarray(picture(k, *size), format="rgb24").reformat(format=pix_fmt)
            if times is not None:
                frame.pts, frame.time_base = round(t * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
            if sound is not None:
                silence = np.zeros((1, 8000 // fps), np.int16)
                heard = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
                heard.sample_rate, heard.pts = 8000, k * 8000 // fps
                out.mux(sound.encode(heard))
        out.mux(stream.encode())
    return path


def turn(path: Path, quarter_turns: int) -> Path:
    """Change an MP4's display matrix in place: players show it turned clockwise by so many quarters."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns % 4]
    one = 0x10000
    matrix = struct.pack(">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 0x40000000)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of other fields
    content[at : at + len(matrix)] = matrix
    path.write_bytes(bytes(content))
    return path


def top_boxes(path: Path) -> list[str]:
    """The names of an MP4's outermost boxes, in order."""
    content, at, names = path.read_bytes(), 0, []
    while at < len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        names.append(name.decode("latin1"))
        at += size if size else len(content)
    return names
