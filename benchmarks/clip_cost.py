"""What a clip costs: 12 s of a 1080p camera out of the packet ring, copied, and beside it encoded anew.

The film is made up: a picture that pans over noise, H.264 at 25 pictures a second with a keyframe every two
seconds, some megabits a second. CPU seconds of the process are counted, not the clock's, since other work may run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import numpy as np

from benchmarks.report import Figure, Report
from detector.zones import Zone
from streams.clips import Codec, Kept, write_clip
from streams.evidence import Span
from streams.masks import NO_MASKS, Masks
from streams.recorder import PacketRing

FPS, GOP_S = 25, 2.0
WANTED_S = 12.0
AGAIN = "encoded anew"
# A mask makes any clip be encoded anew; this one hardly costs more than that.
_MASK = Masks((Zone("corner", ((0.0, 0.0), (0.01, 0.0), (0.01, 0.01))),))


def clip_cost(
    rounds: int, progress: Callable[[str, int, int], None], size: tuple[int, int] = (1920, 1080)
) -> Report:
    """Cut and write the same clip `rounds` times, and once encoded anew."""
    progress("film", 0, 1)
    with tempfile.TemporaryDirectory(prefix="watchpost-clips-") as folder:
        codec, packets = _packets_of(_film(Path(folder) / "film.mp4", size))
        from_t = GOP_S + 0.5
        spent: list[float] = []
        path, span = Path(folder) / "clip.mp4", Span(0.0, 0.0)
        for done in range(rounds):
            progress("clips", done, rounds)
            ms, span = _cost_ms(path, codec, packets, from_t, NO_MASKS)
            spent.append(ms)
        n_bytes, first_is_key = path.stat().st_size, _first_is_key(path)
        progress("encoded anew", rounds, rounds)
        again_ms, _ = _cost_ms(path, codec, packets, from_t, _MASK)
    early_s = from_t - span.start_t
    error_s = max(early_s, abs(span.duration_s - early_s - WANTED_S))
    data = f"made up, {size[0]}x{size[1]}, {n_bytes * 8 / span.duration_s / 1e6:.1f} Mbit/s"
    values: tuple[tuple[str, float, str, dict[str, float]], ...] = (
        ("cpu_ms", median(spent), "ms", {AGAIN: again_ms}),
        ("times_cheaper", again_ms / median(spent), "", {}),
        ("length_error_s", error_s, "s", {}),
        ("first_is_keyframe", float(first_is_key), "1", {}),
    )
    return Report.of(
        [
            Figure(
                name=f"clips.{name}", value=value, unit=unit, data=data, split=f"{WANTED_S:g} s",
                n=rounds, peers=peers,
            )
            for name, value, unit, peers in values
        ]
    )  # fmt: skip


def _film(path: Path, size: tuple[int, int]) -> Path:
    width, height = size
    noise = np.random.default_rng(1).integers(60, 190, (height // 8 + 8, width // 8 + 100), np.uint8)
    wide = np.kron(noise, np.ones((8, 8), np.uint8))
    n = round((WANTED_S + 3 * GOP_S) * FPS)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0", "crf": "22"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = round(GOP_S * FPS)
        for i in range(n):
            shift = i % 200
            picture = np.ascontiguousarray(wide[:height, shift : shift + width])
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _packets_of(film: Path) -> tuple[Codec, list[Kept]]:
    """What a camera's ring holds at the end of the wanted seconds."""
    ring = PacketRing(60.0)
    with av.open(str(film)) as source:
        stream = source.streams.video[0]
        ring.begin(0, Codec(stream))
        for packet in source.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                ring.add(Kept(bytes(packet), float(packet.pts * packet.time_base), 0.0, packet.is_keyframe))
    found = ring.cut(0, GOP_S + 0.5, GOP_S + 0.5 + WANTED_S)
    assert not isinstance(found, str), found
    return found


def _cost_ms(
    path: Path, codec: Codec, packets: list[Kept], from_t: float, masks: Masks
) -> tuple[float, Span]:
    began_s = time.process_time()
    span = write_clip(path, codec, packets, from_t, masks)
    return 1000 * (time.process_time() - began_s), span


def _first_is_key(path: Path) -> bool:
    with av.open(str(path)) as clip:
        return next(clip.decode(video=0)).key_frame
