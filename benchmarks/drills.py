"""What all drills share: a folder that stays when something was wrong, and the report of what was owed and came."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from api.schemas import MediaState
from benchmarks.children import House
from benchmarks.ledger import Arrived, Verdict
from benchmarks.report import Report, write_json

Progress = Callable[[str, int, int], None]

_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a drill saw. `folder` is still there, with databases and logs, when something was not right."""

    verdict: Verdict
    report: Report
    folder: Path

    def show(self, console: Console) -> None:
        """Print what is not as it must be, then the figures."""
        for what, lines in self.verdict.as_json().items():
            for line in lines[:_MAX_SHOWN]:
                console.print(f"{what}: {line}", highlight=False)
            if len(lines) > _MAX_SHOWN:
                console.print(f"{what}: {len(lines) - _MAX_SHOWN} more")
        if not self.verdict.right:
            console.print(f"databases and logs: {self.folder}", highlight=False)
        self.report.show(console)
        console.print(f"lost {len(self.verdict.lost)}, duplicated {len(self.verdict.duplicated)}")

    def write(self, path: Path) -> None:
        """Write the figures and every line of the verdict as JSON."""
        write_json({**self.verdict.as_json(), **self.report.as_json()}, path)


def in_new_folder(name: str, parent: Path | None, drill: Callable[[Path], DrillReport]) -> DrillReport:
    """Run `drill` in a new folder below `parent` (None: the system's temporary one), which goes if all is right.

    After an error it stays, since the error's text points into it; after Ctrl-C it goes.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"watchpost-{name}-", dir=parent))
    try:
        done = drill(folder)
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        raise
    if done.verdict.right:
        shutil.rmtree(folder)
    return done


def media_of(arrived: Iterable[Arrived]) -> dict[str, int]:
    """How many pieces of evidence are there, and how many are said to be missing."""
    states = [state for alert in arrived for state in alert.media.values()]
    return {
        "media_complete": states.count(MediaState.READY),
        "media_missing": states.count(MediaState.MISSING),
    }


def stray(house: House) -> list[str]:
    """Files of a house at rest that nobody will ever look for again."""
    half = house.settings.data_dir.rglob("*.part")
    return [f"left behind: {path}" for path in [*half, *(house.state_dir / "evidence").iterdir()]]
