"""How fast: `watchpost replay` against `ultralytics` track() on the same file and the same ONNX network.

Both run as child processes, in turn, so that a machine whose speed drifts is unfair to neither; medians are quoted.
`python -m benchmarks.throughput VIDEO` is our child: it replays and prints one JSON line.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.footage import fetch_clip
from benchmarks.report import Figure, Report
from detector.errors import ModelError
from models.catalog import load_card
from models.export import ensure_network, export_python

PEER = "ultralytics.track"
RUN_S = 900.0
SITE = """
[worker]
state_dir = "{folder}"
[[cameras]]
id = "bench"
source = "{video}"
[[cameras.rules]]
rule = "gathering"
min_people = 3
hold_s = 6
"""


def throughput(video: Path | None, rounds: int, progress: Callable[[str, int, int], None]) -> Report:
    """Run ours and the peer `rounds` times in turn. Raises ModelError when a child fails."""
    network = ensure_network(load_card("yolov8n"), progress)
    footage = video or fetch_clip("vtest", progress)
    ours = [sys.executable, "-m", "benchmarks.throughput", str(footage)]
    peer_script = Path(__file__).with_name("ultralytics_track.py")
    theirs = [str(export_python(progress)), str(peer_script), str(network), str(footage)]
    runs: dict[str, list[Mapping[str, float]]] = {"ours": [], PEER: []}
    for n in range(rounds):
        for name, command in (("ours", ours), (PEER, theirs)):
            progress("rounds", 2 * n + (name == PEER), 2 * rounds)
            runs[name].append(_run(command))
    progress("rounds", 2 * rounds, 2 * rounds)
    return Report.of([
        _figure("throughput.replay.steady_fps", "pictures/s", "steady_fps", runs, footage),
        _figure("throughput.replay.total_s", "s", "total_s", runs, footage),
        _figure("throughput.replay.peak_mb", "MB", "peak_mb", runs, footage),
        _ratio(runs, footage),
    ])  # fmt: skip


def _run(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    if done.returncode != 0:
        raise ModelError("a run of the benchmark failed", where=" ".join(command), got=done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _figure(
    name: str, unit: str, key: str, runs: Mapping[str, list[Mapping[str, float]]], footage: Path
) -> Figure:
    middle = {who: median(run[key] for run in found) for who, found in runs.items()}
    n = int(runs["ours"][0]["n_pictures"])
    split = f"median of {len(runs['ours'])} runs in turn"
    return Figure(
        name=name, value=round(middle["ours"], 2), unit=unit, data=footage.name, split=split, n=n,
        peers={PEER: round(middle[PEER], 2)},
    )  # fmt: skip


def _ratio(runs: Mapping[str, list[Mapping[str, float]]], footage: Path) -> Figure:
    """Steady pictures a second, ours over the peer's, of each pair of neighbouring runs."""
    pairs = zip(runs["ours"], runs[PEER], strict=True)
    ratios = [ours["steady_fps"] / theirs["steady_fps"] for ours, theirs in pairs]
    n = int(runs["ours"][0]["n_pictures"])
    return Figure(
        name="throughput.replay.ratio", value=round(median(ratios), 2), unit="x", data=footage.name,
        split=f"median of {len(ratios)} pairs, {min(ratios):.2f} to {max(ratios):.2f}", n=n,
    )  # fmt: skip


def _ours(video: Path) -> dict[str, Any]:
    from benchmarks.replay import replay  # noqa: PLC0415  # the parent process does not need it
    from streams.config import load_site  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "site.toml"
        config.write_text(SITE.format(folder=folder, video=video), encoding="utf-8")
        started = time.perf_counter()
        marks: list[float] = []
        replay(
            video,
            load_site(config),
            None,
            Path(folder) / "out.json",
            lambda *_: marks.append(time.perf_counter()),
        )
        ended = time.perf_counter()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "n_pictures": len(marks),
        "total_s": ended - started,
        "steady_fps": (len(marks) - 1) / (marks[-1] - marks[0]),
        "peak_mb": rss / (1e6 if sys.platform == "darwin" else 1e3),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_ours(Path(sys.argv[1]))) + "\n")
