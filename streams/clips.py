"""Packets in, an MP4 that a browser plays out. The only file that writes video; PyAV's errors end here.

H.264 4:2:0 is remuxed: no picture is decoded, so the clip begins at the keyframe before the wanted start. All
else is decoded and made H.264, and so are the pictures of a camera with privacy masks: packets as they came
are then only ever in memory. Audio is left out. Real times are kept: video second v of a clip shows stream
second start_t + v.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TypeAlias, cast
from weakref import finalize

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from detector.errors import ConfigError, SourceUnreadable, StorageError
from streams.evidence import FULL, NOT_STORED, Span
from streams.frame import quarter_turns, upright_size
from streams.masks import NO_MASKS, Masks

_TICKS = 90_000  # clip time base, per second
_GOP_S = 1.0  # of a clip we encode: seeking is to the second
_X264 = {
    "preset": "veryfast", "crf": "23", "bf": "0", "g": "1000", "forced-idr": "1", "threads": "1",
    "maxrate": "12M", "bufsize": "24M",  # a noisy picture does not make a clip that is too large to send
}  # fmt: skip

VideoPacket: TypeAlias = "av.Packet[VideoStream]"  # only a type checker can subscript it


@dataclass(frozen=True, slots=True)
class Kept:
    """One packet, in memory of its own: nothing of the connection it came through is held."""

    data: bytes
    t: float  # stream seconds at which it is shown
    lag_s: float  # how much earlier it must be decoded
    keyframe: bool


def plays_as_it_is(template: VideoStream) -> bool:
    """Whether a browser plays these packets as they come."""
    codec = template.codec_context
    return codec.name == "h264" and codec.pix_fmt in ("yuv420p", "yuvj420p")


class Codec:
    """How a stretch of packets is coded, usable after its source is closed."""

    def __init__(self, template: VideoStream) -> None:
        self.name = template.codec_context.name
        self.playable = plays_as_it_is(template)
        self.container = "mp4" if self.playable else _container_for(template)
        # The header of a file that is never written is a copy of the stream's parameters of our own.
        self._copy = av.open(io.BytesIO(), "w", format=self.container)
        # PyAV's container and stream hold each other; only closing parts them. Left to the garbage collector, which
        # seldom looks at what has lived for a while, each reconnection would leave 60 kB behind for hours.
        finalize(self, self._copy.close)
        self._stream = self._copy.add_stream_from_template(template, opaque=True)

    def add_to(self, container: OutputContainer) -> VideoStream:
        """A stream coded like this one, in a file to be written."""
        stream = container.add_stream_from_template(self._stream, opaque=True)
        stream.time_base = Fraction(1, _TICKS)
        return stream


def _container_for(template: VideoStream) -> str:
    """The first container that takes this codec; those of the MP4 family keep a picture's rotation."""
    for name in ("mp4", "mov", "matroska"):
        try:
            with av.open(io.BytesIO(), "w", format=name) as trial:
                trial.add_stream_from_template(template, opaque=True)
                trial.start_encoding()
        except (ValueError, av.FFmpegError):  # av's way to say: not this codec in this container
            continue
        return name
    raise SourceUnreadable("no clip can be made of this codec", got=template.codec_context.name)


def check_encoder() -> None:
    """Raise ConfigError when this PyAV cannot write H.264: better at the start than by a missing clip."""
    try:
        av.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError as error:
        raise ConfigError(
            "clips cannot be written", wanted="PyAV with libx264", todo="Install the wheel: pip install av"
        ) from error


def write_clip(
    path: Path, codec: Codec, packets: Sequence[Kept], from_t: float, masks: Masks = NO_MASKS
) -> Span:
    """Write an MP4 with its index in front; returns what it shows.

    Raises StorageError, or SourceUnreadable: nothing can be decoded.
    """
    try:
        if codec.playable and not masks:
            return _remux(path, codec, packets, "mp4")
        packed = io.BytesIO()
        start_t = _remux(packed, codec, packets, codec.container).start_t
        packed.seek(0)
        return _transcode(packed, path, start_t, from_t, masks)
    except av.FFmpegError as error:
        text = str(error.strerror or type(error).__name__)
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            what = NOT_STORED if error.errno in FULL else "cannot write the clip"
            raise StorageError(what, where=str(path), got=text) from error
        raise SourceUnreadable("no clip can be made of these pictures", got=text) from error


def _remux(file: Path | io.BytesIO, codec: Codec, packets: Sequence[Kept], container: str) -> Span:
    """The packets as they are, in a file."""
    base_t = packets[0].t
    options = {"movflags": "faststart"} if isinstance(file, Path) else {}
    target = str(file) if isinstance(file, Path) else file
    end = 0
    with av.open(target, "w", format=container, options=options) as out:
        stream = codec.add_to(out)
        for packet in _with_durations(_timed(packets, base_t, stream)):
            end = max(end, (packet.pts or 0) + (packet.duration or 0))
            out.mux(packet)
    return Span(base_t, end / _TICKS)


def _timed(packets: Iterable[Kept], base_t: float, stream: VideoStream) -> Iterator[VideoPacket]:
    """Packets on the clip's clock: shown from 0 on, decoded in strictly rising order, never after shown."""
    before: int | None = None
    for kept in packets:
        packet = cast(VideoPacket, av.Packet(kept.data))
        packet.stream = stream
        packet.time_base = Fraction(1, _TICKS)
        pts = round((kept.t - base_t) * _TICKS)
        dts = pts - round(kept.lag_s * _TICKS)
        if before is not None:
            dts = max(dts, before + 1)
        packet.pts, packet.dts, packet.is_keyframe = max(pts, dts), dts, kept.keyframe
        before = dts
        yield packet


def _with_durations(packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
    """Each packet lasts until the next, the last as long as the one before; a length of 0 is not shown."""
    waiting: VideoPacket | None = None
    duration = _TICKS // 25
    for packet in packets:
        if waiting is not None and waiting.dts is not None and packet.dts is not None:
            duration = packet.dts - waiting.dts
            waiting.duration = duration
            yield waiting
        waiting = packet
    if waiting is not None:
        waiting.duration = duration
        yield waiting


def _transcode(packed: io.BytesIO, path: Path, base_t: float, from_t: float, masks: Masks) -> Span:
    """Decode, and encode as H.264 what is shown from the last picture at or before `from_t` on."""
    with (
        av.open(packed, "r") as source,
        av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        frames = _from(_decoded(source), from_t - base_t)
        first = next(frames, None)
        if first is None:
            raise SourceUnreadable("no clip can be made of these pictures", got="none can be decoded")
        start_s = _time(first)  # told now: encoding may give this very picture the clip's own time
        width, height = upright_size(first)
        stream = out.add_stream("libx264", rate=25, options=dict(_X264))
        stream.width, stream.height = max(2, width & ~1), max(2, height & ~1)  # 4:2:0 has no odd sizes
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        end = 0
        for packet in _with_durations(_encoded(stream, chain([first], frames), start_s, masks)):
            end = (packet.pts or 0) + (packet.duration or 0)
            out.mux(packet)
        return Span(base_t + start_s, end / _TICKS)


def _encoded(
    stream: VideoStream, frames: Iterable[av.VideoFrame], start_s: float, masks: Masks
) -> Iterator[VideoPacket]:
    newest, key = -1, -_TICKS
    for frame in frames:
        ticks = round((_time(frame) - start_s) * _TICKS)
        if ticks <= newest:
            continue
        picture = _upright(frame, stream.width, stream.height)
        if masks:
            picture = masks.on_yuv420p(picture, upright_size(frame))
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS)
        newest = ticks
        if ticks - key >= _GOP_S * _TICKS:
            picture.pict_type, key = PictureType.I, ticks
        yield from stream.encode(picture)
    yield from stream.encode()


def _decoded(source: InputContainer) -> Iterator[av.VideoFrame]:
    """Every picture that can be decoded; a bad packet costs only itself."""
    stream = source.streams.video[0]
    stream.codec_context.thread_count = 1  # analysis comes first
    for packet in source.demux(stream):
        try:
            # The empty last packet too, and not None: what is still in the decoder gets its time base from it.
            yield from stream.codec_context.decode(packet)
        except av.InvalidDataError:
            continue


def _from(frames: Iterator[av.VideoFrame], from_s: float) -> Iterator[av.VideoFrame]:
    """Leave out what comes before the last picture at or before `from_s`."""
    held: av.VideoFrame | None = None
    for frame in frames:
        if _time(frame) <= from_s:
            held = frame
            continue
        if held is not None:
            yield held
            held = None
        yield frame
    if held is not None:
        yield held


def _upright(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    turns = quarter_turns(frame)
    if turns:
        pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    return frame.reformat(width=width, height=height, format="yuv420p")


def _time(frame: av.VideoFrame) -> float:
    return float(frame.time or 0.0)
