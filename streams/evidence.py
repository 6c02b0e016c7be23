"""What goes with an alert: picture, boxes over time, and the folder in which they wait to be sent.

A file has its final name only once it is complete and on disk. The last of the disk is left to the outbox, so
that alerts go on when there is no room for evidence. Nothing is ever drawn on a picture. The disk's errors
become `StorageError` here.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from PIL import Image

from api.schemas import MediaKind, OverlayDoc, OverlayFrame
from detector.errors import StorageError
from detector.pairs import PairSight
from detector.skeletons import MIN_SEEN
from detector.types import F32, Stamp, Tracks
from streams.frame import Frame

TILE_PX = 640  # longest side of the picture on a camera's tile
NOT_STORED = "not stored: disk full"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SPARE_BYTES, _SPARE_PART = 64 * 1024 * 1024, 0.05  # of the disk, left to the alerts themselves
_PART = ".part"
_ENDINGS = {MediaKind.SNAPSHOT: ".jpg", MediaKind.CLIP: ".mp4", MediaKind.OVERLAY: ".json"}


class Folder:
    """The evidence of one worker on disk; methods may be called from any thread and raise StorageError."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _disk(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, alert_id: UUID, kind: MediaKind, content: bytes) -> Path:
        """Store a whole file; returns where it is."""
        with self.place(alert_id, kind, len(content)) as part, _disk(part):
            part.write_bytes(content)
        return self.path(alert_id, kind)

    @contextmanager
    def place(self, alert_id: UUID, kind: MediaKind, n_bytes: int) -> Iterator[Path]:
        """A name to write about `n_bytes` to; without an error it becomes the final one, else it goes."""
        path = self.path(alert_id, kind)
        part = path.with_name(path.name + _PART)
        with _disk(path):
            self._check_room(n_bytes)
            try:
                yield part
                _sync(part)
                part.replace(path)
                _sync(self._root)
            finally:
                with contextlib.suppress(OSError):  # there may be none; what is left goes at the next start
                    part.unlink(missing_ok=True)

    def path(self, alert_id: UUID, kind: MediaKind) -> Path:
        """Where this piece of evidence is, once it is complete."""
        return self._root / f"{alert_id}-{kind}{_ENDINGS[kind]}"

    def sweep(self, keep: Collection[Path]) -> int:
        """Remove what a crash has left: half files, and files that no row points to. Returns how many."""
        kept = {path.name for path in keep}
        with _disk(self._root):
            stray = [path for path in self._root.iterdir() if path.name not in kept and path.is_file()]
            for path in stray:
                path.unlink()
        return len(stray)

    def _check_room(self, n_bytes: int) -> None:
        disk = shutil.disk_usage(self._root)
        spare = min(_SPARE_BYTES, disk.total * _SPARE_PART)
        if disk.free - n_bytes < spare:
            raise StorageError(
                NOT_STORED,
                where=str(self._root),
                wanted=f"{(n_bytes + spare) / 1e6:.1f} MB free",
                got=f"{disk.free / 1e6:.1f} MB free",
                todo="Make room on the worker's disk",
            )


@contextmanager
def _disk(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            NOT_STORED if error.errno in FULL else "cannot write evidence",
            where=str(where),
            got=error.strerror or str(error),
            todo="Look at the worker's disk",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tile(frame: Frame, quality: int = 75) -> bytes:
    """A small JPEG of a picture, its longest side at most 640 px."""
    scale = min(1.0, TILE_PX / max(frame.width, frame.height))
    out = io.BytesIO()
    pixels = frame.rgb(max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Seen:
    epoch: int
    frame: OverlayFrame


class OverlayHistory:
    """The boxes of the last `keep_s` stream seconds of one camera; owned by one thread."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._seen: deque[_Seen] = deque()
        self._size = (0, 0)

    def add(self, stamp: Stamp, tracks: Tracks, pairs: Sequence[PairSight] = ()) -> None:
        """Note the boxes of one analysed picture, within it and to a tenth of a pixel, and its skeletons."""
        if self._seen and self._seen[-1].epoch != stamp.epoch and self._size != (stamp.width, stamp.height):
            self._seen.clear()  # boxes of another picture size mean nothing in this one
        self._size = (stamp.width, stamp.height)
        right, bottom = stamp.width, stamp.height
        inside = np.clip(tracks.boxes, 0, np.array([right, bottom, right, bottom], np.float32))
        boxes = [
            (track_id, round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1))
            for track_id, (x0, y0, x1, y1) in zip(tracks.ids.tolist(), inside.tolist(), strict=True)
        ]
        frame = OverlayFrame.model_construct(  # our own numbers: no check
            t=round(stamp.t, 3), boxes=boxes, skeletons=list(_skeletons(pairs))
        )
        self._seen.append(_Seen(stamp.epoch, frame))
        while self._seen[0].frame.t < stamp.t - self._keep_s:
            self._seen.popleft()

    def doc(self, epoch: int, from_t: float, until_t: float) -> OverlayDoc:
        """What was seen in these stream seconds of an epoch."""
        frames = [s.frame for s in self._seen if s.epoch == epoch and from_t <= s.frame.t <= until_t]
        return OverlayDoc(width=self._size[0], height=self._size[1], frames=frames)

    def __len__(self) -> int:
        return len(self._seen)


def _skeletons(pairs: Sequence[PairSight]) -> Iterator[tuple[int, list[float]]]:
    """Each person's skeleton once, though several pairs hold it; those of whom nothing was seen have none."""
    known: dict[int, F32] = {}
    for sight in pairs:
        for track_id, skeleton in zip(sight.pair.track_ids, sight.skeletons, strict=True):
            if track_id not in known and (skeleton[:, 2] >= MIN_SEEN).any():
                known[track_id] = skeleton
    for track_id in sorted(known):
        yield track_id, [round(value, 2) for value in known[track_id].ravel().tolist()]
