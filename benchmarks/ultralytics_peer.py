"""Runs ultralytics' BYTETracker over boxes, in the export environment; where that is not made, says so.

ultralytics is AGPL-3.0 and is never imported here: a child process of its own gets boxes in a file and gives back
what its tracker says, and what that cost.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.errors import ConfigError
from detector.types import F32
from models.export import export_environment

NAME = "ultralytics.bytetrack"
_CHILD = Path(__file__).with_name("ultralytics_boxes.py")
_CHILD_S = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """What the tracker said of each picture, and the milliseconds it took."""

    tracks: Sequence[F32]  # (n, 5) id x0 y0 x1 y1 px
    ms: Sequence[float]


def why_not() -> str:
    """Why it cannot be run; "": it can."""
    return "" if export_environment() else "the export environment is not made (watchpost models fetch)"


def run(pictures: Sequence[F32]) -> Run:
    """Follow the boxes (n, 5) x0 y0 x1 y1 score of each picture. Raises ConfigError where it cannot be run."""
    python = export_environment()
    if python is None:
        raise ConfigError("cannot be run", where=NAME, got=why_not())
    with tempfile.TemporaryDirectory() as folder:
        boxes, tracks = Path(folder) / "boxes.npz", Path(folder) / "tracks.npz"
        np.savez(boxes, *pictures)
        command = [str(python), str(_CHILD), str(boxes), str(tracks)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_CHILD_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ConfigError("took too long", where=NAME, got=f"over {error.timeout:g} s") from None
        if done.returncode != 0:
            raise ConfigError("cannot be run", where=NAME, got=done.stderr.strip()[-300:])
        with np.load(tracks) as file:
            told = [file[f"arr_{k}"] for k in range(len(pictures))]
    return Run(told, json.loads(done.stdout.strip().splitlines()[-1])["ms"])
