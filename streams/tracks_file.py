"""Tracks on disk: JSON lines, one picture a line, every number as it was, so that rules judge them again alike.

Beside the people stands what was detected that is no person, from which carried things are made again. Files
without `objects` are read too: of other people's tracks, or written by an earlier version.

    {"watchpost_tracks": 1, "source": {"file", "sha256", "width", "height"}, "network": "...", "model_sha256": "...",
     "provider": "...", "n_declared": 0, "n_decoded": 0}
    {"epoch": 0, "index": 0, "t": 0.0, "at": "1970-01-01T00:00:00+00:00", "width": 768, "height": 576,
     "tracks": [[id, x0, y0, x1, y1, vx, vy, score, kind, born_t, seen_t], ...],
     "objects": [[x0, y0, x1, y1, score, kind], ...]}
    ...

Boxes are px, velocities px/s of the foot point, times stream seconds; pictures without people are lines too.
A replay's file appears whole or not at all. A worker's is gzip, grows by whole pieces (streams/kept_tracks.py),
and may end in one that a crash cut off: reading stops before it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from detector.errors import ConfigError, StorageError
from detector.types import Detections, Stamp, Tracks

VERSION = 1
_COLUMNS, _OBJECT_COLUMNS = 11, 6


@dataclass(frozen=True, slots=True)
class Origin:
    """What the tracks were made of and by."""

    source: dict[str, Any]  # file, sha256, width, height
    network: str
    model_sha256: str
    provider: str
    n_declared: int
    n_decoded: int


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """What was seen in one picture."""

    stamp: Stamp
    tracks: Tracks
    objects: Detections | None  # what is no person; None: the file does not say


def head_of(origin: Origin) -> str:
    """The first line of a file."""
    return json.dumps({"watchpost_tracks": VERSION, **asdict(origin)}, allow_nan=False)


def line_of(stamp: Stamp, tracks: Tracks, objects: Detections | None = None) -> str:
    """The line of one picture; without `objects` the file does not say what else was there."""
    rows = [
        [int(tracks.ids[i]), *map(float, tracks.boxes[i]), *map(float, tracks.velocity[i]),
         float(tracks.scores[i]), int(tracks.kinds[i]), float(tracks.born_t[i]), float(tracks.seen_t[i])]
        for i in range(len(tracks))
    ]  # fmt: skip
    line = {
        "epoch": stamp.epoch,
        "index": stamp.index,
        "t": stamp.t,
        "at": stamp.at.isoformat(),
        "width": stamp.width,
        "height": stamp.height,
        "tracks": rows,
    }
    if objects is not None:
        line["objects"] = [
            [*map(float, objects.boxes[i]), float(objects.scores[i]), int(objects.kinds[i])]
            for i in range(len(objects))
        ]
    return json.dumps(line, allow_nan=False)


class TracksWriter:
    """Collects the pictures of one replay; nothing is on disk before `write`."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, stamp: Stamp, tracks: Tracks, objects: Detections) -> None:
        """Take one picture."""
        self._lines.append(line_of(stamp, tracks, objects))

    def write(self, origin: Origin, out: Path) -> None:
        """Write the file whole, or not at all. Raises StorageError."""
        head = head_of(origin)
        part = out.with_name(out.name + ".part")
        try:
            part.write_text("\n".join([head, *self._lines]) + "\n", encoding="utf-8")
            part.replace(out)
        except OSError as error:
            raise StorageError(
                "cannot write the tracks", where=str(out), got=error.strerror or str(error)
            ) from error


def read_origin(path: Path) -> Origin:
    """Give what a file of tracks was made of. Raises ConfigError."""
    try:
        with _opened(path) as file:
            head = json.loads(file.readline())
        if head.pop("watchpost_tracks") != VERSION:
            raise ValueError("another version")
        return Origin(**head)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zlib.error) as error:
        raise ConfigError(
            "not a file of tracks", where=str(path), wanted="what --tracks-out writes", got=str(error)
        ) from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def read_tracks(path: Path, camera_id: str) -> Iterator[StoredPicture]:
    """Give the pictures of a file of tracks as those of a camera. Raises ConfigError naming the line."""
    number = 1
    try:
        with _opened(path) as file, suppress(EOFError):
            file.readline()
            for number, line in enumerate(file, start=2):  # noqa: B007  # told in the error
                yield _picture(json.loads(line), camera_id)
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise ConfigError(
            "the tracks cannot be read",
            where=f"{path}, line {number}",
            wanted="one picture, as --tracks-out writes it",
            got=str(error),
        ) from error


def _picture(line: dict[str, Any], camera_id: str) -> StoredPicture:
    rows = line["tracks"]
    table = np.array(rows, np.float64).reshape(len(rows), _COLUMNS)
    stamp = Stamp(
        camera_id,
        line["epoch"],
        line["index"],
        line["t"],
        datetime.fromisoformat(line["at"]),
        line["width"],
        line["height"],
    )
    tracks = Tracks(
        ids=table[:, 0].astype(np.int64),
        boxes=table[:, 1:5].astype(np.float32),
        velocity=table[:, 5:7].astype(np.float32),
        scores=table[:, 7].astype(np.float32),
        kinds=table[:, 8].astype(np.int64),
        born_t=table[:, 9],
        seen_t=table[:, 10],
    )
    return StoredPicture(stamp, tracks, _objects(line["objects"]) if "objects" in line else None)


def _objects(rows: list[list[float]]) -> Detections:
    table = np.array(rows, np.float64).reshape(len(rows), _OBJECT_COLUMNS)
    return Detections(
        boxes=table[:, :4].astype(np.float32),
        scores=table[:, 4].astype(np.float32),
        kinds=table[:, 5].astype(np.int64),
    )
