"""A site of scripted cameras whose people the block-reading network finds: a whole worker without weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.cards import write_card
from support.scenario import scenario

from benchmarks.pixelcode import write_model, write_video
from streams.config import Site, parse_site

ZONE = {
    "name": "lawn",
    "polygon": [[0.125, 0.3125], [0.875, 0.3125], [0.875, 0.96875], [0.125, 0.96875]],
}
RULE = {
    "rule": "gathering", "zone": "lawn", "min_people": 3,
    "hold_s": 3.0, "gap_s": 1.0, "close_s": 5.0,
}  # fmt: skip


def write_network(folder: Path) -> Path:
    """The network and its card; give the folder to WATCHPOST_NETWORKS."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "pixelcode.onnx")
    write_card(folder)
    return folder


def gathering(
    path: Path, dur_s: float, *, from_s: float = 0.0, until_s: float | None = None, x: int = 320
) -> Path:
    """Three people who stand together around `x`, 400 px from `from_s` to `until_s`; one walks by."""
    end_s = dur_s if until_s is None else until_s
    people = [
        f"path={from_s}:{x + dx},{400 + dy};{end_s}:{x + dx},{400 + dy}"
        for dx, dy in ((-80, 0), (0, 20), (80, 0))
    ]
    clock = f"cls=1 wh=20x20 path=0:40,630;{dur_s}:600,630"  # tells the time by its place
    write_video(path, scenario(dur_s, *people, clock))
    return path


def camera(camera_id: str, source: Path | str, **more: Any) -> dict[str, Any]:
    """A camera's table in a site file."""
    table = {
        "id": camera_id, "name": camera_id.title(), "source": str(source), "analyse_fps": 5.0, "pace": "fast",
        "zones": [ZONE], "rules": [RULE],
    }  # fmt: skip
    return table | more


def make_site(folder: Path, api_url: str, *cameras: dict[str, Any]) -> Site:
    """A site whose worker keeps its state in `folder`/state. The token comes from WATCHPOST_TOKEN."""
    content = {
        "worker": {"state_dir": str(folder / "state"), "api_url": api_url},
        "detector": {"network": "pixelcode", "provider": "cpu", "threads": 1},
        "cameras": list(cameras),
    }
    site = parse_site(content, folder)
    assert not site.rejected
    return site
