"""The tables beside detection and tracking: who walks together, who stands together, who gathers, who hands over.

Each set that lies in the data folder, in the layout its file tells, is one table; none is named in code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import gathering_figures, standing, walking
from benchmarks.gatherings import GatheringSet, find_gathering_sets
from benchmarks.handoff_boxes import find_transfer_sets, set_name, transfer_figures
from benchmarks.handoff_films import ACTED, Film, acted_figures, film_name, find_films, quiet_figures
from benchmarks.handoffs import handoff_figures, has_handoffs
from benchmarks.report import Figure

Seen = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a table measured."""

    figures: Sequence[Figure]
    studies: Sequence[gathering_figures.Study] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One set; nothing is read before it is measured."""

    name: str  # how its figures' names begin
    data: str
    measure: Callable[[Seen], Result]


def find_tables(data_dir: Path) -> list[Table]:
    """Give the tables that can be measured on what lies in `data_dir`."""
    return [
        *(
            Table(f"pairs.{one.name}", one.data, partial(_walking, one))
            for one in walking.find_scenes(data_dir)
        ),
        *(
            Table(f"groups.{one.name}", one.data, partial(_standing, one))
            for one in standing.find_sets(data_dir)
        ),
        *(
            Table(f"gathering.{one.name}", one.data, partial(_gathering, one))
            for one in find_gathering_sets(data_dir)
        ),
        *(
            [Table("handoff.skeleton", "skeletons of pairs", partial(_handoff, data_dir))]
            if has_handoffs(data_dir)
            else []
        ),
        *(
            Table(f"handoff.{set_name(folder)}", folder.name, partial(_transfers, folder))
            for folder in find_transfer_sets(data_dir)
        ),
        *(
            Table(f"handoff.{film_name(folder)}", folder, partial(_films, folder, films))
            for folder, films in find_films(data_dir).items()
        ),
    ]


def _walking(scene: walking.Scene, seen: Seen) -> Result:
    return Result(walking.measure(scene, seen))


def _standing(part: standing.StandingSet, seen: Seen) -> Result:
    return Result(standing.measure(part, seen))


def _gathering(source: GatheringSet, seen: Seen) -> Result:
    studies = gathering_figures.study(source, seen)
    return Result([figure for one in studies for figure in gathering_figures.figures(one)], studies)


def _handoff(data_dir: Path, seen: Seen) -> Result:
    return Result(handoff_figures(data_dir, lambda _what, done, total: seen(done, total)))


def _transfers(folder: Path, seen: Seen) -> Result:
    return Result(transfer_figures(folder, seen))


def _films(folder: str, films: Sequence[Film], seen: Seen) -> Result:
    return Result(acted_figures(films, seen) if folder == ACTED else quiet_figures(folder, films, seen))
