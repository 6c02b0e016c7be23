"""The tracks of the last days on the worker's own disk, so that other rules can be tried on them: boxes, never pictures.

    tracks/<camera>/<UTC of the first picture>-<run>.jsonl.gz      one file an hour, streams/tracks_file.py

Every judged picture with people in it is kept as the rules saw it; of those without, one in five seconds. Nothing
of how anybody looks is in them, and ids mean nothing outside their run. What is older than `keep` goes, and the
oldest files go while there is more than `max_bytes`. Best effort: what the disk refuses is lost and told once.
A `TrackFolder` and its keepers are owned by the inference thread.
"""

from __future__ import annotations

import gzip
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from detector.types import Stamp, Tracks
from streams.tracks_file import Origin, head_of, line_of

log = logging.getLogger(__name__)

SUFFIX = ".jsonl.gz"
FILE_S = 3600.0
PIECE_S = 10.0  # a crash loses no more
EMPTY_S = 5.0  # between two kept pictures without people
_PIECE_LINES = 500
_SPARE_PART = 0.05  # of the disk stays free of tracks
_NAME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class TrackFolder:
    """Where tracks are kept, and how much of them."""

    root: Path
    keep: timedelta
    max_bytes: int

    def prune(self, now: datetime) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        try:
            found = sorted(
                (
                    (path.stat().st_mtime, path.stat().st_size, path)
                    for path in self.root.glob(f"*/*{SUFFIX}")
                ),
                reverse=True,
            )
            total = 0
            for at, size, path in found:
                total += size
                if total > self.max_bytes or now - datetime.fromtimestamp(at, UTC) > self.keep:
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("kept tracks cannot be looked through error=%s", error.strerror)

    def files(self, camera_id: str, since: datetime, until: datetime) -> Iterator[Path]:
        """The files of a camera that may hold pictures of this time, in their order."""
        for path in sorted((self.root / camera_id).glob(f"*{SUFFIX}")):
            began = datetime.strptime(path.name.partition("-")[0], _NAME).replace(tzinfo=UTC)
            ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if began <= until and ended >= since:
                yield path


class Keeper:
    """Writes the tracks of one run of one camera."""

    def __init__(self, folder: TrackFolder, origin: Origin, monotonic: Callable[[], float]) -> None:
        """`origin.source` names the camera (`file`) and the run (`run_id`)."""
        self._folder, self._origin, self._monotonic = folder, origin, monotonic
        self._lines: list[str] = []
        self._path: Path | None = None
        self._file_s = self._piece_s = monotonic()
        self._was_empty, self._kept_t = False, 0.0
        self._refused = False

    def add(self, stamp: Stamp, tracks: Tracks) -> None:
        """Take what the rules saw of one picture."""
        empty = len(tracks) == 0
        if empty and self._was_empty and 0 <= stamp.t - self._kept_t < EMPTY_S:
            return
        self._was_empty, self._kept_t = empty, stamp.t
        now_s = self._monotonic()
        if self._path is None or now_s - self._file_s >= FILE_S:
            self.flush()
            self._begin(stamp, now_s)
        self._lines.append(line_of(stamp, tracks))
        if now_s - self._piece_s >= PIECE_S or len(self._lines) >= _PIECE_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what has come: a piece of its own, whole unless the machine dies in it."""
        self._piece_s = self._monotonic()
        if not self._lines or self._path is None:
            return
        piece = gzip.compress(("\n".join(self._lines) + "\n").encode(), 5)
        self._lines = []
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            disk = shutil.disk_usage(self._path.parent)
            if disk.free < disk.total * _SPARE_PART:
                raise OSError(0, "the disk is nearly full")
            with self._path.open("ab") as file:
                file.write(piece)
        except OSError as error:
            if not self._refused:
                log.warning("tracks are not kept file=%s error=%s", self._path.name, error.strerror)
            self._refused = True
            self._path = None  # what follows a hole begins a file of its own
        else:
            self._refused = False

    def _begin(self, stamp: Stamp, now_s: float) -> None:
        camera_id, run = str(self._origin.source["file"]), str(self._origin.source["run_id"])
        name = f"{stamp.at:{_NAME}}-{run[:8]}-{stamp.index}{SUFFIX}"
        self._path, self._file_s = self._folder.root / camera_id / name, now_s
        self._lines.append(head_of(self._origin))
        self._folder.prune(stamp.at)


def run_of(path: Path) -> str:
    """The run in which the track ids of a file mean something."""
    return path.name.split("-")[1]
