"""People made unrecognisable in a picture or a clip. Blocks until it is done; PyAV's and Pillow's errors become SourceUnreadable.

Where somebody was found, the picture is reduced to a few patches. Since people move between two looks, everybody who was
found within LOOK_S counts, and where they are on the way from one look to the next; without a look within GAP_S both before
and after, all of a picture is blurred. Who was not found is not blurred.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from api.schemas import Box, OverlayDoc, OverlayFrame
from detector.errors import SourceUnreadable

LOOK_S = 0.75  # boxes this near in time count
GAP_S = 0.5  # from one look to a moment, on both sides: a runner is gone from the box after longer
_SAME_S = 0.001
_GROWN = 0.15  # of a box's size, on each side
_ACROSS = 6  # patches across a box
_COARSE = 40  # patches across a whole picture
_CRF, _PRESET, _TICK = "28", "veryfast", Fraction(1, 90_000)

_Pixels = NDArray[np.uint8]


def blur_picture(data: bytes, boxes: Sequence[Box] | None) -> bytes:
    """A JPEG with these boxes blurred, or all of it when nobody can say where people are. Raises SourceUnreadable."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            pixels = np.asarray(picture.convert("RGB")).copy()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise SourceUnreadable("the picture cannot be read", got=type(error).__name__) from error
    _blur(pixels, boxes)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=80)
    return out.getvalue()


def boxes_at(overlay: OverlayDoc | None, t: float) -> list[Box] | None:
    """Where people were or can be at stream second `t`, in parts of the picture; None: nobody looked shortly before and after."""
    if overlay is None:
        return None
    before = [one for one in overlay.frames if t - GAP_S <= one.t <= t + _SAME_S]
    after = [one for one in overlay.frames if t - _SAME_S <= one.t <= t + GAP_S]
    if not before or not after:
        return None
    found = [box[1:] for one in overlay.frames if abs(one.t - t) <= LOOK_S for box in one.boxes]
    found += _between(before[-1], after[0], t)
    across, down = overlay.width, overlay.height  # of the judged stream: the clip may be of a larger one
    return [(x0 / across, y0 / down, x1 / across, y1 / down) for x0, y0, x1, y1 in found]


def _between(before: OverlayFrame, after: OverlayFrame, t: float) -> list[Box]:
    """Where people are on their way from one look to the next."""
    share = (t - before.t) / (after.t - before.t) if after.t > before.t else 0.0
    there = {track_id: box for track_id, *box in after.boxes}
    return [
        (
            x0 + share * (there[n][0] - x0),
            y0 + share * (there[n][1] - y0),
            x1 + share * (there[n][2] - x1),
            y1 + share * (there[n][3] - y1),
        )
        for n, x0, y0, x1, y1 in before.boxes
        if n in there
    ]


def blur_clip(clip: Path, out: Path, overlay: OverlayDoc | None, start_t: float | None) -> None:
    """Write the clip anew with people blurred, without sound. Raises SourceUnreadable, OSError."""
    try:
        with av.open(str(clip)) as source, av.open(str(out), "w", format="mp4") as target:
            _transcode(source, target, overlay, start_t)
    except av.error.FFmpegError as error:
        raise SourceUnreadable("the clip cannot be blurred", got=type(error).__name__) from error


def _transcode(
    source: InputContainer, target: OutputContainer, overlay: OverlayDoc | None, start_t: float | None
) -> None:
    if not source.streams.video:
        raise SourceUnreadable("the clip holds no video")
    video, stream = source.streams.video[0], None
    for frame in source.decode(video):
        turned = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
        pixels = np.ascontiguousarray(turned, np.uint8).copy()
        at = None if start_t is None or frame.time is None else start_t + frame.time
        _blur(pixels, None if at is None else boxes_at(overlay, at))
        pixels = pixels[: len(pixels) & ~1, : pixels.shape[1] & ~1]  # the encoder wants even sizes
        if stream is None:
            stream = target.add_stream("libx264", rate=video.average_rate or 25)
            stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
            stream.options = {"crf": _CRF, "preset": _PRESET}
            stream.codec_context.time_base = frame.time_base or video.time_base or _TICK
        drawn = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, np.uint8), format="rgb24")
        drawn.pts, drawn.time_base = frame.pts, frame.time_base
        target.mux(stream.encode(drawn))
    if stream is None:
        raise SourceUnreadable("the clip holds no picture")
    target.mux(stream.encode())


def _blur(pixels: _Pixels, boxes: Sequence[Box] | None) -> None:
    """Blur (height, width, 3) pixels in place."""
    height, width, _ = pixels.shape
    if boxes is None:
        _coarsen(pixels, max(1, width // _COARSE))
        return
    for x0, y0, x1, y1 in boxes:
        across, down = (x1 - x0) * _GROWN, (y1 - y0) * _GROWN
        left, top = max(0, int((x0 - across) * width)), max(0, int((y0 - down) * height))
        right = min(width, int((x1 + across) * width) + 1)
        bottom = min(height, int((y1 + down) * height) + 1)
        if left < right and top < bottom:
            _coarsen(pixels[top:bottom, left:right], max(2, (right - left) // _ACROSS))


def _coarsen(part: _Pixels, patch: int) -> None:
    """Give each patch of so many pixels its mean colour, smoothly."""
    height, width, _ = part.shape
    small = Image.fromarray(np.ascontiguousarray(part)).resize(
        (max(1, width // patch), max(1, height // patch)), Image.Resampling.BOX
    )
    part[:] = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
