"""Made-up footage with real codecs: small, quick to write, and wrong in the ways that cameras are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

MILLI = Fraction(1, 1000)


def picture(width: int, height: int, i: int) -> NDArray[np.uint8]:
    """RGB (height, width, 3): red grows rightwards, green downwards, a white square walks, blue corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(30, 220, width, dtype=np.uint8)
    pixels[..., 1] = np.linspace(30, 220, height, dtype=np.uint8)[:, None]
    side = max(4, height // 6)
    x = (7 * i) % max(1, width - side)
    pixels[height // 2 : height // 2 + side, x : x + side] = 255
    pixels[: height // 4, : width // 4] = (20, 20, 230)
    return pixels


def write_video(
    path: Path,
    *,
    n: int = 20,
    fps: int = 10,
    size: tuple[int, int] = (160, 120),
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 10,
    b_frames: int = 0,
    rotation: int = 0,
) -> Path:
    """`n` pictures in a file whose format follows from its name; `times_s` instead of an even rate."""
    width, height = size
    times = [i / fps for i in range(n)] if times_s is None else list(times_s)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = MILLI
        stream.gop_size = gop
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "bf": str(b_frames), "x264-params": "scenecut=0"}
        if codec == "libx265":
            params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={b_frames}:log-level=none"
            stream.options = {"preset": "ultrafast", "x265-params": params}
        if rotation:
            stream.set_display_rotation(rotation)
        for i, t in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(width, height, i), format="rgb24")
            frame.pts, frame.time_base = round(t * 1000), MILLI
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def annex_b(path: Path) -> list[tuple[bytes, int, int, bool]]:
    """The H.264 packets of a file as a raw stream has them: (bytes, pts ms, dts ms, keyframe)."""
    packets = []
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        to_raw = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in source.demux(stream):
            for raw in to_raw.filter(packet if packet.size else None):
                ms = raw.time_base * 1000
                packets.append((bytes(raw), round(raw.pts * ms), round(raw.dts * ms), raw.is_keyframe))
    return packets


def write_raw(source: Path, path: Path) -> Path:
    """An elementary stream, which has no times."""
    path.write_bytes(b"".join(data for data, _, _, _ in annex_b(source)))
    return path


def write_ts(source: Path, path: Path, change: Callable[[int, bytes], bytes | None]) -> Path:
    """A transport stream whose packets went through `change(number, data)`; None: lost on the way."""
    with av.open(str(source)) as model, av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream_from_template(model.streams.video[0])
        for i, (data, pts, dts, key) in enumerate(annex_b(source)):
            changed = change(i, data)
            if changed is None:
                continue
            packet = av.Packet(changed)
            packet.stream, packet.time_base = stream, MILLI
            packet.pts, packet.dts, packet.is_keyframe = pts, dts, key
            out.mux(packet)
    return path


def noise(data: bytes, seed: int) -> bytes:
    """The packet with all but its start replaced: no picture comes of it, or a damaged one."""
    dirty = np.frombuffer(data, np.uint8).copy()
    dirty[6:] = np.random.default_rng(seed).integers(1, 255, len(dirty) - 6, np.uint8)
    return dirty.tobytes()


def write_audio(path: Path) -> Path:
    """Half a second of a tone and no picture."""
    rate = 8000
    wave = (np.sin(np.arange(rate // 2) * 0.3) * 8000).astype(np.int16)[None]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=rate)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def join(parts: Iterable[Path], path: Path) -> Path:
    """Files one after the other, as bytes: raw streams may be joined so."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
