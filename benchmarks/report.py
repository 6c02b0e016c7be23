"""Figures of a benchmark: one table for people, one object for machines, names that stay stable.

Every figure says on what data and how much of it it was measured, every report on which machine and commit.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
# What decides the figures beside our own code.
PACKAGES = ("av", "numpy", "onnxruntime", "scipy", "trackers", "trackeval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `peers` holds the same number of others, measured in the same run."""

    name: str  # dotted, stable: scripts read it
    value: float | None  # None: nothing to measure it on (no positives, say)
    unit: str  # "1" for a share
    data: str  # the set
    split: str  # which part or condition of it: "all", "every 4th picture", ...
    n: int  # how many pictures, boxes or incidents (as the benchmark says) it rests on
    ci95: tuple[float, float] | None = None
    peers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark gives back."""

    figures: Sequence[Figure]
    machine: Mapping[str, str | int]
    commit: str

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Report:
        """Give a report of `figures` measured on this machine, now."""
        return cls(figures, machine(), commit())

    def as_json(self) -> dict[str, Any]:
        """Give the object that `--json` writes."""
        return {
            "machine": dict(self.machine),
            "commit": self.commit,
            "figures": [asdict(figure) for figure in self.figures],
        }

    def write(self, path: Path) -> None:
        """Write `as_json` to `path`; "-" is standard output."""
        write_json(self.as_json(), path)

    def show(self, console: Console) -> None:
        """Print machine, commit and one table of all figures."""
        console.print(", ".join(f"{key} {value}" for key, value in self.machine.items()), highlight=False)
        console.print(f"commit {self.commit}", highlight=False)
        peers = list(dict.fromkeys(peer for figure in self.figures for peer in figure.peers))
        table = Table()
        table.add_column("figure", no_wrap=True)
        for title in ("value", *peers):
            table.add_column(title, justify="right")
        table.add_column("data")
        table.add_column("n", justify="right")
        for figure in self.figures:
            table.add_row(
                figure.name,
                _number(figure.value, figure.unit) + _interval(figure),
                *(_number(figure.peers.get(peer), figure.unit) for peer in peers),
                f"{figure.data}, {figure.split}",
                f"{figure.n:,}",
            )
        console.print(table)


def machine() -> dict[str, str | int]:
    """Tell what the figures were measured on."""
    found: dict[str, str | int] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Name the commit of this tree, with `-dirty` when files differ from it; "unknown" if there is none."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    told = subprocess.run(
        [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return told.stdout.strip() if told.returncode == 0 else "unknown"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    text = f"{value:,.0f}" if float(value).is_integer() and unit != "1" else f"{value:.3f}"
    return text if unit == "1" else f"{text} {unit}"


def _interval(figure: Figure) -> str:
    return f" [{figure.ci95[0]:.3f}, {figure.ci95[1]:.3f}]" if figure.ci95 else ""


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write one JSON object to `path`; "-" is standard output."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")
