"""The folder of evidence as a place: whether it is the right one, how much room there is, what lies in it.

It holds a marker file that the database knows. Without it the disk is not mounted, or another one is: then
nothing is written, nothing is taken for missing and nothing is removed, until it is back. Paths are made of
ids only, `<alert id>/<kind>.<suffix>`: no name, no local time. Every method blocks; call them in a thread.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from api.schemas import MediaKind
from detector.errors import StorageError

log = logging.getLogger(__name__)

MARKER = ".watchpost-evidence"
_SUFFIX = {MediaKind.SNAPSHOT: "jpg", MediaKind.CLIP: "mp4", MediaKind.OVERLAY: "json"}
_MAX_SPARE_PART = 0.1  # of the disk: a small one must not be kept empty


@dataclass(frozen=True, slots=True)
class Usage:
    """Of the file system on which the folder itself lies; bytes."""

    free: int
    total: int


class Storage:
    """The folder whose marker file says `marker`."""

    def __init__(self, root: Path, marker: UUID, min_free: float) -> None:
        self.root = root.absolute()
        self._marker = str(marker)
        self._min_free = min_free

    # ------------------------------------------------------------ the right place

    def place_marker(self) -> bool:
        """Make the folder this database's own. False: it is another's already. Raises StorageError."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self.root / MARKER, "x", encoding="ascii") as file:
                file.write(self._marker + "\n")
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return self.problem() == ""
        except OSError as error:
            raise StorageError(
                "cannot use the folder of evidence",
                where=str(self.root),
                got=error.strerror or str(error),
                todo="Make it writable for the service, or name another in WATCHPOST_MEDIA_DIR",
            ) from error
        return True

    def found_marker(self) -> str:
        """What the marker file says; "" without one. Raises OSError."""
        try:
            return (self.root / MARKER).read_text("ascii", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def problem(self) -> str:
        """Why this is not the place for evidence now; "" when it is."""
        try:
            found = self.found_marker()
        except OSError as error:
            return f"storage unavailable: the disk of evidence cannot be read ({error.strerror})"
        if not found:
            return f"storage unavailable: the disk of evidence is not mounted, or lost its file {MARKER}"
        if found != self._marker:
            return "storage unavailable: the disk of evidence belongs to another database"
        return ""

    # ------------------------------------------------------------ room

    def usage(self) -> Usage:
        """Free and total, of the folder's own file system. Raises OSError."""
        found = os.statvfs(self.root)
        return Usage(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def spare(self, total: int) -> int:
        """How many bytes of a disk of this size are to stay free."""
        return int(min(self._min_free, total * _MAX_SPARE_PART))

    def floor(self, total: int) -> int:
        """What stays free even while bodies come that did not tell their length: a database may lie there."""
        return self.spare(total) // 2

    # ------------------------------------------------------------ files

    def path(self, alert_id: UUID, kind: MediaKind) -> Path:
        """Where this piece of evidence is."""
        return self.root / str(alert_id) / f"{kind.value}.{_SUFFIX[kind]}"

    def is_gone(self, path: Path) -> bool:
        """Whether there surely is no such file: a disk that does not answer is no proof. Raises OSError."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        return False

    def remove(self, path: Path) -> int:
        """Remove a file, and its folder when it was the last; returns the bytes freed. Raises OSError."""
        try:
            n_bytes = path.lstat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        self.prune(path.parent)
        return n_bytes

    def prune(self, folder: Path) -> None:
        """Remove a folder of an alert if nothing is in it."""
        if folder != self.root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or not ours: it stays
                return

    def folders_after(self, name: str, limit: int) -> list[str]:
        """The next alerts' folders by name. Raises OSError."""
        with os.scandir(self.root) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name > name and is_id(entry.name) and entry.is_dir(follow_symlinks=False)
            )
        return names[:limit]

    def old_files(self, folders: Iterable[str], before: datetime) -> list[Path]:
        """Files in these alerts' folders that were written before; raises OSError."""
        return [path for name in folders for path in _files(self.root / name, before)]

    def foreign(self) -> list[str]:
        """What lies beside the alerts' folders and is not ours: never touched. Raises OSError."""
        with os.scandir(self.root) as entries:
            return sorted(entry.name for entry in entries if entry.name != MARKER and not is_id(entry.name))


def is_id(name: str) -> bool:
    """Whether a folder of this name holds an alert's evidence."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _files(folder: Path, before: datetime) -> list[Path]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                seen = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode) and seen.st_mtime < before.timestamp():
                    found.append(Path(entry.path))
    except FileNotFoundError:  # it went meanwhile
        return []
    return found
