"""Truth and detections of tracking sets, and the referee. Reads files; measures nothing of its own.

A picture's people are `Labels`; a sequence is a list of them, one per picture, in order. The metrics are
TrackEval's own classes, fed with arrays (IoU 0.5 for MOTA and IDF1, 19 thresholds for HOTA).

Source: HOTA, Luiten et al., IJCV 2020; CLEAR MOT, Bernardin & Stiefelhagen 2008; IDF1, Ristani et al. 2016.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from detector.boxes import iou
from detector.errors import ConfigError
from detector.types import F32, I64, Detections, Kind


@dataclass(frozen=True, slots=True)
class Labels:
    """Who is where in one picture: the truth, or what a tracker says."""

    ids: I64  # (n,)
    boxes: F32  # (n, 4) x0 y0 x1 y1 px


@dataclass(frozen=True, slots=True)
class Scores:
    """What the referee says."""

    hota: float
    mota: float
    idf1: float
    switches: int


def read_milan_xml(path: Path) -> list[Labels]:
    """Read the truth of PETS 2009 as A. Milan wrote it: one `frame` per picture, boxes by centre and size."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  # a label file of one's own
        pictures = []
        for frame in root:
            rows = [
                (int(person.attrib["id"]), *(float(box.attrib[key]) for key in ("xc", "yc", "w", "h")))
                for person in frame.iter("object")
                for box in person.iter("box")
            ]
            sizes = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
            half = sizes[:, 2:] / 2
            boxes = np.concatenate([sizes[:, :2] - half, sizes[:, :2] + half], axis=1)
            pictures.append(Labels(np.array([row[0] for row in rows], np.int64), boxes))
    except (ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        raise _unreadable(path, "frames of objects with box xc yc w h", error) from error
    return pictures


def read_mot_truth(path: Path) -> list[Labels]:
    """Read a MOTChallenge `gt.txt`; pictures are numbered from 1, and those without a row are empty."""
    frames, ids, boxes, _ = _mot_rows(path)
    last = int(frames.max(initial=0))
    return [Labels(ids[frames == n], boxes[frames == n]) for n in range(1, last + 1)]


def read_mot_detections(path: Path, n_pictures: int) -> list[Detections]:
    """Read a MOTChallenge `det.txt` of people, for the first `n_pictures` pictures."""
    frames, _, boxes, scores = _mot_rows(path)
    found = []
    for n in range(1, n_pictures + 1):
        rows = frames == n
        kinds = np.full(int(rows.sum()), Kind.PERSON, np.int64)
        found.append(Detections(boxes[rows], scores[rows], kinds))
    return found


def score(truth: Sequence[Labels], tracked: Sequence[Labels]) -> Scores:
    """Let TrackEval compare two sequences of the same length. Raises ConfigError if it is not installed."""
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity  # noqa: PLC0415  # of the extra `bench`
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the referee is not installed", got=str(error), todo="Install the extra: pip install '.[bench]'"
        ) from error
    if len(truth) != len(tracked):
        raise ValueError(f"score: wanted {len(truth)} pictures, got {len(tracked)}")
    truth_ids, n_truth_ids = _numbered(truth)
    tracked_ids, n_tracked_ids = _numbered(tracked)
    data = {
        "num_timesteps": len(truth),
        "num_gt_ids": n_truth_ids,
        "num_tracker_ids": n_tracked_ids,
        "num_gt_dets": sum(map(len, truth_ids)),
        "num_tracker_dets": sum(map(len, tracked_ids)),
        "gt_ids": truth_ids,
        "tracker_ids": tracked_ids,
        "similarity_scores": [
            iou(a.boxes, b.boxes).astype(np.float64) for a, b in zip(truth, tracked, strict=True)
        ],
    }
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    hota = HOTA().eval_sequence(data)
    return Scores(
        float(np.mean(hota["HOTA"])), float(clear["MOTA"]), float(identity["IDF1"]), int(clear["IDSW"])
    )


def _numbered(pictures: Sequence[Labels]) -> tuple[list[I64], int]:
    """Give the ids renumbered from 0 without holes, as TrackEval wants them, and how many there are."""
    known = np.unique(np.concatenate([np.zeros(0, np.int64), *(picture.ids for picture in pictures)]))
    return [np.searchsorted(known, picture.ids) for picture in pictures], len(known)


def _mot_rows(path: Path) -> tuple[I64, I64, F32, F32]:
    """Give frame, id, box and score of each row `frame,id,left,top,width,height,score,...`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = np.array([line[:7] for line in csv.reader(file) if line], np.float64).reshape(-1, 7)
    except (ValueError, OSError) as error:
        raise _unreadable(path, "rows frame,id,left,top,width,height,score", error) from error
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
    return rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), boxes, rows[:, 6].astype(np.float32)


def _unreadable(path: Path, wanted: str, error: Exception) -> ConfigError:
    return ConfigError("the labels cannot be read", where=str(path), wanted=wanted, got=str(error))
