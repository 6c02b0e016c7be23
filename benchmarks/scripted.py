"""What drills let a worker watch: the block-reading network, and films of three people who stand together.

Needs the package onnx, of the extra `bench`; says so when it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from detector.errors import ConfigError

DETECTOR = {"network": "pixelcode", "provider": "cpu", "threads": 1}


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
    from benchmarks.pixelcode import Box, Moment, write_video  # noqa: PLC0415  # as above

    people = [Box(240, 400, 60, 160), Box(320, 420, 60, 160), Box(400, 400, 60, 160)]
    for name, (dur_s, from_s, until_s) in films.items():
        times = [number / 10 for number in range(round(dur_s * 10))]
        script = [Moment(t, people if from_s <= t < until_s else []) for t in times]
        write_video(folder / f"{name}.mp4", script)
