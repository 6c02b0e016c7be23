"""How well people are found and followed, and who is together, on whatever labelled sets lie in the data folder.

Pictures go the product's own way: PyAV, `Frame`, `OnnxDetector`, `Tracker`. Others' trackers get the same
detections in the same run. TrackEval is the referee; all that `Tracker.step` returns counts, guesses too.
Every 2nd and 4th picture alone is measured as well: a camera among many is looked at that seldom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from benchmarks import sequences
from benchmarks.gathering_figures import Study
from benchmarks.mot import Labels, Scores, score
from benchmarks.peers import Peer, peers
from benchmarks.report import Figure, Report, commit, machine
from benchmarks.sequences import Recording
from benchmarks.tables import find_tables
from detector.boxes import iou
from detector.errors import ConfigError
from detector.tracker import Tracker
from detector.types import F32, Detections, Kind, Mask
from models.catalog import load_card, network_path
from models.onnx import DetectorOptions, OnnxDetector

STRIDES = (1, 2, 4)
MIN_SCORE = 0.4  # precision and recall are told at this score
MIN_IOU = 0.5


def accuracy(
    data_dir: Path,
    only: set[str] | None = None,
    *,
    network: str = "yolov8n",
    options: DetectorOptions | None = None,
    console: Console | None = None,
) -> AccuracyReport:
    """Measure what there is in `data_dir`; progress is drawn on `console`.

    `only` holds dotted beginnings of figure names ("tracking", "tracking.tud_campus"); None is all of them.
    Raises ConfigError (no data, no such part, peers not installed), ModelError, SourceError.
    """
    found = sequences.find_sequences(data_dir)
    parts = [
        (part, sequence)
        for sequence in found
        for part in (("detection", "tracking") if sequence.has_pictures else ("tracking",))
        if _chosen(f"{part}.{sequence.name}", only)
    ]
    tables = find_tables(data_dir)
    wanted = [table for table in tables if _chosen(table.name, only)]
    if not parts and not wanted:
        _say_nothing(data_dir, only, [*(sequence.name for sequence in found), *(one.name for one in tables)])
    figures: list[Figure] = []
    studies: list[Study] = []
    with Progress(console=console, transient=True) as progress:
        figures += _sequences(parts, network, options, progress)
        for table in wanted:
            task = progress.add_task(table.data, total=None)
            result = table.measure(partial(_show, progress, task))
            figures += result.figures
            studies += result.studies
    return AccuracyReport(figures, machine(), commit(), studies)


@dataclass(frozen=True, slots=True)
class AccuracyReport(Report):
    """Figures, and what the report page draws."""

    studies: Sequence[Study] = ()


def _say_nothing(data_dir: Path, only: set[str] | None, known: Sequence[str]) -> NoReturn:
    if not known:
        raise ConfigError(
            "no labelled sequence", where=str(data_dir),
            wanted="FOLDER/annotations/*.xml beside a video, SET/FOLDER/{det,gt}*.txt, or a set of groups", got="none",
            todo="Put data there in that layout (benchmarks/sequences.py and tables.py tell it), or set WATCHPOST_DATA",
        )  # fmt: skip
    raise ConfigError(
        "nothing to measure",
        where="only",
        wanted=f"detection, tracking, pairs, groups, gathering or handoff, of {', '.join(known)}",
        got=str(only),
    )


def _sequences(
    parts: Sequence[tuple[str, sequences.Sequence]],
    network: str,
    options: DetectorOptions | None,
    progress: Progress,
) -> list[Figure]:
    """Measure detection and tracking."""
    if not parts:
        return []
    others = peers()  # before the long work: they may not be installed
    detector = None
    if any(sequence.has_pictures for _, sequence in parts):
        card = load_card(network)
        detector = OnnxDetector(card, network_path(card), options or DetectorOptions())
    figures: list[Figure] = []
    for sequence in dict.fromkeys(sequence for _, sequence in parts):
        task = progress.add_task(sequence.data, total=None)
        recording = sequences.load(sequence, detector, partial(_show, progress, task))
        if ("detection", sequence) in parts:
            figures += _detection(sequence, recording)
        if ("tracking", sequence) in parts:
            figures += _tracking(sequence, recording, others)
        progress.update(task, completed=1, total=1)
    return figures


def _show(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _chosen(name: str, only: set[str] | None) -> bool:
    """Tell whether a part is a beginning of, or begins with, one that was asked for."""
    return only is None or any(
        f"{name}.".startswith(f"{word}.") or word.startswith(f"{name}.") for word in only
    )


def _detection(sequence: sequences.Sequence, recording: Recording) -> list[Figure]:
    scores, right, n_truth = match(recording.truth, recording.detections)
    strong = scores >= MIN_SCORE
    n_right = int(right[strong].sum())
    n_strong = int(strong.sum())
    floor = f"scores from {scores.min(initial=1):.2f}"
    values = (
        ("precision", n_right / n_strong if n_strong else None, f"score >= {MIN_SCORE}", n_strong),
        ("recall", n_right / n_truth if n_truth else None, f"score >= {MIN_SCORE}", n_truth),
        ("ap50", average_precision(scores, right, n_truth) if n_truth else None, floor, n_truth),
    )
    return [
        Figure(
            name=f"detection.{sequence.name}.{name}",
            value=value,
            unit="1",
            data=sequence.data,
            split=split,
            n=n,
        )
        for name, value, split, n in values
    ]


def match(truth: Sequence[Labels], detections: Sequence[Detections]) -> tuple[F32, Mask, int]:
    """Give score and rightness (n,) of every detected person, strongest first, and the number of true ones.

    In each picture the strongest detection takes the free true person it overlaps most, if by IoU 0.5.
    """
    scores, right = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
    for there, seen in zip(truth, detections, strict=True):
        people = seen[seen.kinds == Kind.PERSON]
        people = people[np.argsort(-people.scores, kind="stable")]
        overlap = iou(people.boxes, there.boxes)
        hits = np.zeros(len(people), np.bool_)
        for row in range(len(people)):
            best = int(overlap[row].argmax()) if len(there.ids) else 0
            if len(there.ids) and overlap[row, best] >= MIN_IOU:
                hits[row], overlap[:, best] = True, 0
        scores.append(people.scores)
        right.append(hits)
    all_scores, all_right = np.concatenate(scores), np.concatenate(right)
    order = np.argsort(-all_scores, kind="stable")
    return all_scores[order], all_right[order], sum(len(there.ids) for there in truth)


def average_precision(scores: F32, right: Mask, n_truth: int) -> float:
    """Give the area under precision over recall (0-1), each precision raised to the best at a higher recall.

    `scores` fall. Source: Everingham et al., The PASCAL VOC Challenge 2012 development kit, section 3.4.1.
    """
    hits = np.cumsum(right)
    last = np.append(np.diff(scores) < 0, True) if len(scores) else np.zeros(0, np.bool_)
    precision = (hits / np.arange(1, len(hits) + 1))[last]
    recall = np.concatenate([[0.0], hits[last] / n_truth])
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * best))


def follow(recording: Recording, stride: int) -> list[Labels]:
    """Give what our tracker says about every `stride`-th picture."""
    tracker = Tracker()
    told = []
    for stamp, seen in zip(recording.stamps[::stride], recording.detections[::stride], strict=True):
        tracks = tracker.step(stamp, seen)
        people = tracks[tracks.kinds == Kind.PERSON]
        told.append(Labels(people.ids, people.boxes))
    return told


def _tracking(
    sequence: sequences.Sequence, recording: Recording, others: Mapping[str, Peer]
) -> Iterator[Figure]:
    for stride in STRIDES:
        truth = recording.truth[::stride]
        ours = score(truth, follow(recording, stride))
        theirs: dict[str, Scores] = {
            name: score(truth, peer(recording.detections[::stride], recording.fps / stride))
            for name, peer in others.items()
        }
        middle = "" if stride == 1 else f"stride{stride}."
        split = "all pictures" if stride == 1 else f"every {stride}{'nd' if stride == 2 else 'th'} picture"
        for metric, value in asdict(ours).items():
            yield Figure(
                name=f"tracking.{sequence.name}.{middle}{metric}",
                value=value,
                unit="switches" if metric == "switches" else "1",
                data=sequence.data,
                split=split,
                n=len(truth),
                peers={name: asdict(their)[metric] for name, their in theirs.items()},
            )
