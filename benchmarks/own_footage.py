"""An engineer's own recordings against an engineer's own labels: the product's replay, the public event metrics.

    DIR/*.mp4|avi|mkv|mov|webm      recordings          DIR/*.jsonl      tracks stored by `replay --tracks-out`

    file,rule,start_s,end_s,counts                      the labels, CSV with this first line
    yard.mp4,gathering,12.5,80,yes                      counts: "no" for what may be told but need not be

A file of the folder without a row is one in which nothing happened; a file is one unit of the intervals. An
alert is right when it overlaps the event by more than a fifth of what both cover (as in benchmarks/events.py).
"""

from __future__ import annotations

import csv
import json
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.events import Call, Event, bootstrap
from benchmarks.gathering_figures import MEASURES, Tally, tally
from benchmarks.gatherings import Clip
from benchmarks.replay import replay, replay_tracks
from benchmarks.report import Figure, Report
from benchmarks.sequences import VIDEOS
from detector.errors import ConfigError
from streams.config import Site

log = logging.getLogger(__name__)

COLUMNS = ("file", "rule", "start_s", "end_s", "counts")
TRACKS = ".jsonl"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Label:
    """One row: what happened in a file, by the rule that should tell it."""

    rule: str
    event: Event


@dataclass(frozen=True, slots=True)
class Watched:
    """What the rules of a camera said of one file."""

    file: str
    length_s: float
    calls: dict[str, list[Call]]  # by rule


def own_footage(folder: Path, labels: Path, site: Site, camera_id: str | None, progress: Progress) -> Report:
    """Judge every file of `folder` by the rules of a camera of `site`. Raises ConfigError, ModelError, SourceUnreadable."""
    files = find_files(folder)
    truth = read_labels(labels, {file.name for file in files})
    watched = []
    for number, file in enumerate(files):
        watched.append(watch(file, site, camera_id))
        progress("files", number + 1, len(files))
    rules = {label.rule for label in truth} | {rule for one in watched for rule in one.calls}
    figures: list[Figure] = []
    for rule in sorted(rules):
        events = [label.event for label in truth if label.rule == rule]
        figures += _figures(rule, [_tally(one, rule, events) for one in watched], folder.name, len(events))
    return Report.of(figures)


def find_files(folder: Path) -> list[Path]:
    """Give the recordings and the stored tracks of a folder, by name. Raises ConfigError if there is none."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for file in files if file.suffix.lower() in {*VIDEOS, TRACKS}]
    if not found:
        raise ConfigError(
            "nothing to judge",
            where=str(folder),
            wanted=f"files that end in {', '.join(sorted(VIDEOS))} or {TRACKS}",
        )
    return found


def read_labels(path: Path, files: set[str]) -> list[Label]:
    """Give the labels, in the order of their rows. Raises ConfigError naming the line."""
    number = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ValueError(f"columns {rows.fieldnames}")
            labels = []
            for number, row in enumerate(rows, start=2):  # noqa: B007  # told in the error
                labels.append(_label(row, files))
            return labels
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            "the labels cannot be read",
            where=f"{path}, line {number}",
            wanted=",".join(COLUMNS),
            got=str(error),
        ) from error


def _label(row: dict[str, str], files: set[str]) -> Label:
    start_s, end_s = float(row["start_s"]), float(row["end_s"])
    if row["file"] not in files:
        raise ValueError(f"no such file in the folder: {row['file']!r}")
    if not 0 <= start_s < end_s:
        raise ValueError(f"no time from {start_s:g} s to {end_s:g} s")
    if row["counts"] not in ("yes", "no"):
        raise ValueError(f"counts is {row['counts']!r}, not yes or no")
    event = Event(clip=row["file"], start_s=start_s, end_s=end_s, counts=row["counts"] == "yes")
    return Label(row["rule"], event)


def watch(file: Path, site: Site, camera_id: str | None) -> Watched:
    """Judge one file. Raises ConfigError, ModelError, SourceUnreadable."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "alerts.json"
        run = replay_tracks if file.suffix.lower() == TRACKS else replay
        done = run(file, site, camera_id, out, _quiet)
        for why in done.untold:
            log.warning("%s file=%s", why, file.name)
        alerts = json.loads(out.read_text(encoding="utf-8"))["alerts"]
    calls: dict[str, list[Call]] = {}
    for opened in alerts:
        if opened["phase"] == "opened":
            closed = [alert for alert in alerts if alert["alert_id"] == opened["alert_id"]][-1]
            calls.setdefault(opened["rule"], []).append(_call(file.name, opened, closed))
    return Watched(file.name, done.stream_s, calls)


def _call(file: str, opened: dict[str, Any], closed: dict[str, Any]) -> Call:
    """An alert lasts as long as its rule held; one that does not say how long lasts until it was closed."""
    start_s = opened["started_t"]
    dwell_s = closed["facts"].get("dwell_s", closed["t"] - start_s)
    return Call(
        clip=file, start_s=start_s, end_s=start_s + dwell_s, told_s=opened["t"], score=opened["score"]
    )


def _tally(one: Watched, rule: str, events: Sequence[Event]) -> Tally:
    here = [event for event in events if event.clip == one.file]
    return tally(Clip(one.file, "", "", one.length_s, here), one.calls.get(rule, []))


def _figures(rule: str, tallies: Sequence[Tally], data: str, n: int) -> list[Figure]:
    return [
        Figure(
            name=f"own.{rule}.{name}",
            value=value(tallies),
            unit=unit,
            data=data,
            split="all files",
            n=n,
            ci95=bootstrap(tallies, value),
        )
        for name, (unit, value) in MEASURES.items()
    ]


def _quiet(what: str, done: int, total: int) -> None:
    """One file's own progress is not told."""
