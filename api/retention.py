"""What evidence is kept and for how long: by age, verdict and severity, room on the disk, files against rows.

Rows come first, files after (api/db/retention.py); a file that cannot be removed is counted, told and tried
again at every pass. When room is needed, dismissed evidence goes first, then the oldest that nobody confirmed,
then the confirmed; what is held never goes: with only that left new evidence is refused, and alerts go on.
A pass is bounded, can be repeated, and goes on after a failure. While the host's clock is not believed
(api/trusted.py) nothing goes because of its age.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from api.db.retention import Cutoffs, Kept, Piece, Standing
from api.db.store import Store
from api.schemas_storage import Why
from api.settings import Settings
from api.storage import Storage, Usage, is_id
from api.trusted import TrustedClock
from detector.errors import StorageError

log = logging.getLogger(__name__)

EVERY_S = 60.0
_BATCH = 100  # alerts in one transaction
_ROUNDS = 50  # transactions in one pass for room, and for age
_LOOKED_AT = 500  # alerts whose files are compared with their rows in one pass
STRAY_AFTER = timedelta(hours=1)  # a file that no row points to may still be on its way
_RECENT = timedelta(hours=1)  # how long an early removal is told as the state of the disk
_MARGIN_PART = 0.01  # of all the room, freed beyond what is needed: not every clip is to need a removal
_NO_ID = UUID(int=0)


class Disk(StrEnum):
    """How the place of evidence is; alerts go on in every one of them."""

    OK = "ok"
    NEARLY_FULL = "nearly full"  # evidence was removed before its time to keep room free
    FULL = "full"  # new evidence is not stored
    UNAVAILABLE = "unavailable"  # not mounted, or it refuses to be read or written


_NAMES = {
    Standing.DISMISSED: "false alerts",
    Standing.ORDINARY: "alerts without a clear verdict",
    Standing.HIGH: "alerts of high severity without a clear verdict",
    Standing.CONFIRMED: "true alerts",
    Standing.CONFIRMED_HIGH: "true alerts of high severity",
}
_ROOM_WORDS = {
    Why.SIZE: "removed by retention: more evidence than there may be",
    Why.DISK: "removed by retention: the disk was nearly full",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How many days evidence is kept."""

    days: Mapping[Standing, float]

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The rules in these settings."""
        longer = settings.keep_high_factor
        return cls(
            {
                Standing.DISMISSED: settings.keep_false_days,
                Standing.ORDINARY: settings.keep_open_days,
                Standing.HIGH: settings.keep_open_days * longer,
                Standing.CONFIRMED: settings.keep_true_days,
                Standing.CONFIRMED_HIGH: settings.keep_true_days * longer,
            }
        )

    def cutoffs(self, now: datetime | None) -> Cutoffs:
        """What came before is over its time; UTC, so that no clock change counts. No time: nothing is."""
        if now is None:
            return {}
        return {standing: now - timedelta(days=days) for standing, days in self.days.items()}

    def words(self, standing: Standing) -> str:
        """Why evidence of this standing went when its time was over."""
        return (
            f"removed by retention after {self.days[standing]:g} days, as evidence of {_NAMES[standing]} is"
        )


@dataclass(slots=True)
class Counts:
    """Since the start."""

    n_file_missing: int = 0
    n_strays: int = 0
    n_removed: Counter[Why] = field(default_factory=Counter)  # pieces of evidence
    removed_bytes: Counter[Why] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Figures:
    """Evidence as it lies there; bytes as of the last pass and what came since."""

    stored_bytes: int
    held_bytes: int
    n_left: int  # files that could not be removed


class Retention:
    """One service's retention; its state belongs to the event loop."""

    def __init__(self, settings: Settings, store: Store, storage: Storage, clock: TrustedClock) -> None:
        self.counts = Counts()
        self.disk, self.reason = Disk.OK, ""
        self._store, self._storage, self._clock = store, storage, clock
        self._max_bytes = None if settings.media_max_gb is None else int(settings.media_max_gb * 1e9)
        self._believe = settings.believe_clock
        self._rules = Rules.of(settings)
        self._now: datetime | None = None  # as of the last pass; None: not believed
        self._making_room = asyncio.Lock()
        self._stored, self._held = 0, 0  # bytes; as of the last pass and what came since
        self._left: set[Path] = set()  # files that could not be removed
        self._foreign: list[str] = []  # names in the folder of evidence that are not ours, as last told
        self._pressed_at: float | None = None  # of the loop's clock, when the disk last made evidence go
        self._row_mark, self._folder_mark = _NO_ID, ""  # how far files have been compared with rows

    async def begin(self) -> None:
        """Learn what is stored, and what time it was. Raises StorageError."""
        with suppress(StorageError):  # a full disk is no reason not to start
            await self._store.database.keep_room()
        await self._count()
        self._clock.begin(None if self._believe else await self._store.retention.seen_at())
        self._now = self._clock.now()
        await self._date()

    async def run(self) -> None:
        """Make a pass now and then, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.step()

    async def step(self) -> None:
        """One pass; what fails is told and comes again at the next."""
        self._now = self._clock.now()
        for part in (
            self._store.database.keep_room,
            self._date,
            self._count,
            self._retry,
            self._expire,
            self._tend,
            self._missing,
            self._strays,
        ):
            if problem := await asyncio.to_thread(self._storage.problem):
                self._tell(Disk.UNAVAILABLE, problem)
                return
            try:
                await part()
            except (StorageError, OSError) as error:
                log.warning("retention put off part=%s error=%s", part.__name__, error)

    async def make_room(self, n_bytes: int) -> bool:
        """Whether `n_bytes` of evidence may be written now, after removing what may go.

        Raises StorageError when the database does not say.
        """
        async with self._making_room:
            try:
                need, why = await asyncio.to_thread(self._shortage, n_bytes)
                if need > 0:
                    await self._press(need, why)
                    need, why = await asyncio.to_thread(self._shortage, n_bytes)
            except OSError as error:
                self._tell(Disk.UNAVAILABLE, f"the disk of evidence cannot be used ({error.strerror})")
                return False
            if need > 0:
                rest = "only held evidence is left" if self._held else "there is no evidence to remove"
                place = "the disk of the service" if why is Why.DISK else "the room for evidence"
                self._tell(Disk.FULL, f"{place} is full: {rest}")
                return False
            self._stored += n_bytes
            if self._pressed_at is not None and _loop_s() - self._pressed_at < _RECENT.total_seconds():
                self._tell(
                    Disk.NEARLY_FULL, "disk nearly full: the oldest evidence is removed before its time"
                )
            else:
                self._tell(Disk.OK, "")
            return True

    @property
    def figures(self) -> Figures:
        """How much evidence there is."""
        return Figures(self._stored, self._held, len(self._left))

    def usage(self) -> Usage | None:
        """Of the disk of evidence; None: it does not answer, or is another one. Blocks."""
        try:
            return None if self._storage.problem() else self._storage.usage()
        except OSError:
            return None

    async def problems(self) -> list[str]:
        """What a person should know of the evidence, one line each; empty when all is well."""
        problem = await asyncio.to_thread(self._storage.problem)
        if not problem and self.disk is Disk.UNAVAILABLE:  # it is back
            await self.make_room(0)
        found = [line for line in (problem or self.reason,) if line]
        if self._left:
            found.append(f"{len(self._left)} files cannot be removed")
        if self._clock.doubt:
            found.append(f"{self._clock.doubt}: nothing is removed by age")
        return found

    # ------------------------------------------------------------ the parts of a pass

    async def _date(self) -> None:
        """New alerts begin to age."""
        if self._now is not None:
            await self._store.retention.saw(self._now)

    async def _count(self) -> None:
        self._stored, self._held = await self._store.retention.stored_bytes()

    async def _retry(self) -> None:
        """Files that could not be removed, unless evidence has come to their place since."""
        ids = {UUID(path.parent.name) for path in self._left if is_id(path.parent.name)}
        known = await self._store.retention.ready_of(ids)
        self._left -= {self._storage.path(alert_id, kind) for alert_id, kind in known}
        await self._unlink(list(self._left))

    async def _expire(self) -> None:
        """Remove what is over its time."""
        for _ in range(_ROUNDS):
            over = await self._store.retention.expired(self._rules.cutoffs(self._now), _BATCH)
            if not over:
                return
            await self._remove(over, Why.AGE)

    async def _tend(self) -> None:
        await self.make_room(0)

    async def _press(self, need: int, why: Why) -> None:
        """Free `need` bytes and a little more, in the order in which evidence may go."""
        room = (await asyncio.to_thread(self._storage.usage)).total
        if self._max_bytes is not None:
            room = min(room, self._max_bytes)
        need += int(room * _MARGIN_PART)
        await self._count()
        for _ in range(_ROUNDS):
            chosen = await self._store.retention.first_to_go(_BATCH)
            need -= await self._remove(_enough(chosen, need), why)
            if need <= 0 or not chosen:
                return

    async def _missing(self) -> None:
        """Rows whose file is not there say so; a disk that went away meanwhile proves nothing."""
        pieces = await self._store.retention.pieces_after(self._row_mark, _LOOKED_AT)
        all_seen = len({piece.alert_id for piece in pieces}) < _LOOKED_AT
        self._row_mark = _NO_ID if all_seen else pieces[-1].alert_id
        gone = await asyncio.to_thread(self._gone_of, pieces)
        if gone and not await asyncio.to_thread(self._storage.problem):
            await self._store.retention.file_missing(gone)
            self.counts.n_file_missing += len(gone)
            log.error("evidence without file n=%d first=%s", len(gone), gone[0].alert_id)

    async def _strays(self) -> None:
        """Files that no row points to go, once they are old enough not to be on their way.

        Only those in the folder of an alert: what lies beside, in a folder that a person may have chosen wrongly,
        is only told.
        """
        storage = self._storage
        foreign = await asyncio.to_thread(storage.foreign)
        if foreign != self._foreign:
            log.warning("not evidence, left alone n=%d names=%s", len(foreign), foreign[:10])
            self._foreign = foreign
        if self._now is None:
            return
        folders = await asyncio.to_thread(storage.folders_after, self._folder_mark, _LOOKED_AT)
        self._folder_mark = "" if len(folders) < _LOOKED_AT else folders[-1]
        known = await self._store.retention.ready_of([UUID(name) for name in folders])
        wanted = {storage.path(alert_id, kind) for alert_id, kind in known}
        found = await asyncio.to_thread(storage.old_files, folders, self._now - STRAY_AFTER)
        strays = [path for path in found if path not in wanted and path not in self._left]
        n_before = len(self._left)
        await self._unlink(strays)
        if n := len(strays) - (len(self._left) - n_before):
            self.counts.n_strays += n
            log.info("strays removed n=%d", n)

    # ------------------------------------------------------------ tools of the parts

    def _shortage(self, n_bytes: int) -> tuple[int, Why]:
        """How many bytes must go before `n_bytes` may come, and why."""
        usage = self._storage.usage()
        by_disk = (self._storage.spare(usage.total) + n_bytes - usage.free, Why.DISK)
        if self._max_bytes is None:
            return by_disk
        return max(by_disk, (self._stored + n_bytes - self._max_bytes, Why.SIZE))

    async def _remove(self, chosen: Sequence[Kept], why: Why) -> int:
        """Forget, then unlink; returns the bytes freed."""
        if not chosen:
            return 0
        words = self._rules.words if why is Why.AGE else lambda _: _ROOM_WORDS[why]
        pieces = await self._store.retention.remove(chosen, why, words)
        n_bytes = sum(piece.n_bytes for piece in pieces)
        self._stored -= n_bytes
        self.counts.n_removed[why] += len(pieces)
        self.counts.removed_bytes[why] += n_bytes
        freed = await self._unlink([self._storage.path(piece.alert_id, piece.kind) for piece in pieces])
        if why is Why.DISK and pieces:
            self._pressed_at = _loop_s()
        for piece in pieces:
            log.info("evidence removed alert=%s kind=%s why=%s", piece.alert_id, piece.kind.value, why.value)
        return freed

    async def _unlink(self, paths: Iterable[Path]) -> int:
        freed = 0
        for path in paths:
            try:
                freed += await asyncio.to_thread(self._storage.remove, path)
            except OSError as error:
                if path not in self._left:
                    log.error("file cannot be removed file=%s error=%s", path.name, error.strerror)
                self._left.add(path)
            else:
                self._left.discard(path)
        return freed

    def _gone_of(self, pieces: Iterable[Piece]) -> list[Piece]:
        return [
            piece for piece in pieces if self._storage.is_gone(self._storage.path(piece.alert_id, piece.kind))
        ]

    def _tell(self, disk: Disk, reason: str) -> None:
        if disk is not self.disk:
            level = logging.INFO if disk is Disk.OK else logging.ERROR
            log.log(level, "disk of evidence state=%s reason=%s", disk.value, reason)
        self.disk, self.reason = disk, reason


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


def _enough(chosen: Sequence[Kept], need: int) -> list[Kept]:
    """The first of them that together hold `need` bytes."""
    taken: list[Kept] = []
    for kept in chosen:
        if need <= 0:
            break
        taken.append(kept)
        need -= kept.n_bytes
    return taken


async def open_storage(settings: Settings, store: Store) -> Storage:
    """The folder of evidence of this database, made at the first start. Raises StorageError."""
    marker, placed = await store.retention.marker()
    storage = Storage(settings.media_dir, marker, settings.media_min_free_mb * 1e6)
    if not placed and await asyncio.to_thread(storage.place_marker):
        await store.retention.marker_is(marker)
    return storage
