"""What drills let a worker watch: the block-reading network, and three people who stand together.

Needs the package onnx, of the extra `bench`; says so when it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.pixelcode import Box

FPS = 10
DETECTOR = {"network": "pixelcode", "provider": "cpu", "threads": 1}
ZONE = {"name": "lawn", "polygon": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.97], [0.1, 0.97]]}
RULE = {
    "rule": "gathering", "zone": "lawn", "min_people": 3, "hold_s": 0.4, "gap_s": 0.3, "close_s": 0.5,
}  # fmt: skip


def write_network(folder: Path) -> Path:
    """Write the network and its card into a new folder, for WATCHPOST_NETWORKS. Raises ConfigError."""
    try:
        from benchmarks.pixelcode import CARD_TOML, write_model  # noqa: PLC0415  # onnx may not be there
    except ModuleNotFoundError as error:
        todo = "Install the extra: pip install '.[bench]'"
        raise ConfigError("a package is not installed", got=str(error), todo=todo) from error
    folder.mkdir()
    write_model(folder / "pixelcode.onnx")
    (folder / "pixelcode.toml").write_text(CARD_TOML, encoding="utf-8")
    return folder


def write_films(folder: Path, films: Mapping[str, tuple[float, float, float]]) -> None:
    """Write NAME.mp4 for each: its seconds, and from when to when the three are there; 10 pictures a second."""
    from benchmarks.pixelcode import Moment, write_video  # noqa: PLC0415  # as above

    for name, (dur_s, from_s, until_s) in films.items():
        times = [number / FPS for number in range(round(dur_s * FPS))]
        script = [Moment(t, _three() if from_s <= t < until_s else []) for t in times]
        write_video(folder / f"{name}.mp4", script, FPS)


def write_pictures(folder: Path, dur_s: int, until_s: int) -> str:
    """Raw pictures for a live camera: `dur_s` round and round, the three there until `until_s`.

    Returns the GStreamer pipeline that serves them.
    """
    from benchmarks.pixelcode import SIDE_PX, picture_yuv  # noqa: PLC0415  # as above

    folder.mkdir()
    (folder / "three.yuv").write_bytes(picture_yuv(_three()).tobytes())
    (folder / "nobody.yuv").write_bytes(picture_yuv([]).tobytes())
    for number in range(dur_s * FPS):
        shown = "three.yuv" if number < until_s * FPS else "nobody.yuv"
        (folder / f"{number:04}.yuv").symlink_to(shown)
    return (
        f'( multifilesrc location="{folder}/%04d.yuv" stop-index={dur_s * FPS - 1} loop=true'
        f" ! rawvideoparse format=i420 width={SIDE_PX} height={SIDE_PX} framerate={FPS}/1"
        " ! x264enc tune=zerolatency speed-preset=ultrafast pass=quant quantizer=8"
        f" key-int-max={2 * FPS} ! rtph264pay name=pay0 pt=96 )"
    )


def _three() -> list[Box]:
    from benchmarks.pixelcode import Box  # noqa: PLC0415  # as above

    return [Box(240, 400, 60, 160), Box(320, 420, 60, 160), Box(400, 400, 60, 160)]
