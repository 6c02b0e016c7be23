"""What goes with an alert: picture, boxes over time, and the folder in which they wait to be sent.

A file has its final name only once it is complete and on disk. A clip that still grows has drafts, each playable
and named by what it shows, so that a killed worker leaves the beginning of an incident. The last of the disk is
left to the outbox, so that alerts go on when there is no room for evidence. Nothing is ever drawn on a picture.
The disk's errors become `StorageError` here.
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
_PART, _DRAFT = ".part", ".draft"
_ENDINGS = {MediaKind.SNAPSHOT: ".jpg", MediaKind.CLIP: ".mp4", MediaKind.OVERLAY: ".json"}


@dataclass(frozen=True, slots=True)
class Span:
    """What a clip shows, in stream seconds."""

    start_t: float  # of the first picture shown
    duration_s: float


@dataclass(frozen=True, slots=True)
class Room:
    """Of a disk, in bytes."""

    free: int
    total: int
    spare: int  # of it for alerts alone

    def takes(self, n_bytes: int) -> bool:
        """Whether so much evidence may be written."""
        return self.free - n_bytes >= self.spare


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

    @contextmanager
    def place_draft(self, alert_id: UUID, n_bytes: int) -> Iterator[tuple[Path, list[Span]]]:
        """A name to write a draft of a clip to, and a list for what it shows; it takes the place of those before."""
        part = self._root / f"{alert_id}-clip{_DRAFT}{_PART}"
        spans: list[Span] = []
        before = self._drafts(alert_id)
        with _disk(part):
            self._check_room(n_bytes)
            try:
                yield part, spans
                _sync(part)
                part.replace(self._root / _draft_name(alert_id, spans[0]))
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
            for path in before:
                path.unlink(missing_ok=True)

    def drop_drafts(self, alert_id: UUID) -> None:
        """The clip is whole, or will never be."""
        with _disk(self._root):
            for path in self._drafts(alert_id):
                path.unlink(missing_ok=True)

    def draft(self, alert_id: UUID) -> tuple[Path, Span] | None:
        """The longest draft of a clip, and what it shows; None: there is none."""
        found = [(path, _span_of(path)) for path in self._drafts(alert_id)]
        return max(found, key=lambda one: one[1].duration_s, default=None)

    def _drafts(self, alert_id: UUID) -> list[Path]:
        begin = f"{alert_id}-clip-"
        return [
            path for path in self._root.iterdir() if path.name.startswith(begin) and path.suffix == _DRAFT
        ]

    def sweep(self, keep: Collection[Path]) -> int:
        """Remove what a crash has left: half files, and files that no row points to. Returns how many."""
        kept = {path.name for path in keep}
        with _disk(self._root):
            stray = [path for path in self._root.iterdir() if path.name not in kept and path.is_file()]
            for path in stray:
                path.unlink()
        return len(stray)

    @property
    def room(self) -> Room:
        """How full its disk is."""
        with _disk(self._root):
            disk = shutil.disk_usage(self._root)
        return Room(disk.free, disk.total, int(min(_SPARE_BYTES, disk.total * _SPARE_PART)))

    def _check_room(self, n_bytes: int) -> None:
        room = self.room
        if not room.takes(n_bytes):
            raise StorageError(
                NOT_STORED,
                where=str(self._root),
                wanted=f"{(n_bytes + room.spare) / 1e6:.1f} MB free",
                got=f"{room.free / 1e6:.1f} MB free",
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


def _draft_name(alert_id: UUID, span: Span) -> str:
    return f"{alert_id}-clip-{round(span.start_t * 1000)}-{round(span.duration_s * 1000)}{_DRAFT}"


def _span_of(path: Path) -> Span:
    start_ms, duration_ms = path.name.removesuffix(_DRAFT).rsplit("-", 2)[1:]
    return Span(int(start_ms) / 1000, int(duration_ms) / 1000)


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
