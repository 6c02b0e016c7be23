"""The worker's memory across crashes: what the API must still be told, on disk before anything is sent.

Every put is one committed transaction (SQLite, WAL, synchronous=FULL). Rows leave in the order in which they
came. Beside the rows it keeps what a crash would leave open: alerts without an end, evidence without a file.
Some room on the disk is its own from the start, so that alerts are stored while others have filled the disk.
Each thread has its own connection; SQLite does the waiting, so there is no lock here. SQLite's errors become
`StorageError` in this file and nowhere else.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from api.schemas import AlertIn, MediaKind
from detector.errors import StorageError
from detector.types import Phase

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_OWN_BYTES, _OWN_PART = 2 * 1024 * 1024, 0.1  # kept in the file, and in its log: some hundred alerts
_WAL_PAGES = 200  # 0.8 MB: on a small disk the log must fit into what evidence leaves free
_BUSY_S = 10.0  # how long a put waits for another thread's transaction

_SCHEMA = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    part TEXT NOT NULL,      -- the phase and revision of an alert, else the kind of evidence
    body TEXT NOT NULL,
    path TEXT,
    refused TEXT,            -- why the API will never take it
    UNIQUE (alert_id, what, part)
);
CREATE TABLE open_alerts (alert_id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE due_media (alert_id TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (alert_id, kind));
"""


class What(StrEnum):
    """What a row tells the API."""

    ALERT = "alert"  # body: AlertIn
    MEDIA = "media"  # body: {"start_t", "duration_s", "note"}, null but for a clip
    MISSING = "missing"  # body: {"reason"}


@dataclass(frozen=True, slots=True)
class Item:
    """One row on its way."""

    seq: int
    what: What
    alert_id: UUID
    kind: MediaKind | None  # None for an alert
    body: str  # JSON
    path: Path | None  # of the evidence file


class Outbox:
    """The rows of one worker in one SQLite file; methods may be called from any thread.

    Every method raises `StorageError` when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(error, "make its folder writable") from error
        try:
            with self._write() as db:
                self._prepare(db)
        except StorageError:
            self.close()
            raise
        self._take_room()

    def _take_room(self) -> None:
        """Write and delete: the pages stay the file's and its log's own, and alerts are written into them."""
        try:
            n_bytes = int(min(_OWN_BYTES, shutil.disk_usage(self._path.parent).total * _OWN_PART))
            with self._write() as db:
                db.execute("CREATE TABLE IF NOT EXISTS room (filling BLOB)")
                db.execute("INSERT INTO room VALUES (zeroblob(?))", (n_bytes,))
        except (StorageError, OSError) as error:  # as much as there is will do
            log.warning("no room kept for alerts error=%s", error)
        with self._write() as db:
            db.execute("DROP TABLE IF EXISTS room")

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise StorageError(
                "the outbox was written by another version of Watchpost",
                where=str(self._path),
                wanted=f"schema {SCHEMA_VERSION}",
                got=f"schema {version}",
                todo="Let that version send what is in it, or move the file away",
            )
        found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    # ------------------------------------------------------------ putting

    def put_alert(self, alert: AlertIn) -> bool:
        """Keep one phase of an alert. False: this phase and revision is here already; nothing changes."""
        alert_id, body = str(alert.alert_id), alert.model_dump_json()
        with self._write() as db:
            part = f"{alert.phase} {alert.revision}"
            if not self._insert(db, What.ALERT, alert_id, part, body):
                return False
            if alert.phase is Phase.CLOSED:
                db.execute("DELETE FROM open_alerts WHERE alert_id = ?", (alert_id,))
            else:
                db.execute("INSERT OR REPLACE INTO open_alerts VALUES (?, ?)", (alert_id, body))
            if alert.phase is Phase.OPENED:
                due = [(alert_id, kind) for kind in MediaKind]
                db.executemany("INSERT OR IGNORE INTO due_media VALUES (?, ?)", due)
            return True

    def put_media(
        self,
        alert_id: UUID,
        kind: MediaKind,
        path: Path,
        start_t: float | None = None,
        duration_s: float | None = None,
        *,
        note: str | None = None,
    ) -> bool:
        """Keep a piece of evidence whose file is complete on disk; False: there is word of it already.

        `note`: what it falls short of, for people.
        """
        body = json.dumps({"start_t": start_t, "duration_s": duration_s, "note": note})
        return self._settle(What.MEDIA, alert_id, kind, body, path)

    def put_missing(self, alert_id: UUID, kind: MediaKind, reason: str) -> bool:
        """Keep the word that a piece of evidence will never come; False: there is word of it already."""
        return self._settle(What.MISSING, alert_id, kind, json.dumps({"reason": reason}), None)

    def _settle(self, what: What, alert_id: UUID, kind: MediaKind, body: str, path: Path | None) -> bool:
        with self._write() as db:
            due = db.execute("DELETE FROM due_media WHERE alert_id = ? AND kind = ?", (str(alert_id), kind))
            return bool(due.rowcount) and self._insert(db, what, str(alert_id), kind, body, path)

    @staticmethod
    def _insert(
        db: sqlite3.Connection, what: What, alert_id: str, part: str, body: str, path: Path | None = None
    ) -> bool:
        row = (what, alert_id, part, body, None if path is None else str(path))
        added = db.execute(
            "INSERT OR IGNORE INTO rows (what, alert_id, part, body, path) VALUES (?, ?, ?, ?, ?)", row
        )
        return added.rowcount == 1

    # ------------------------------------------------------------ sending

    def next(
        self, skip: Collection[UUID] = (), late: Collection[UUID] = (), *, evidence: bool = True
    ) -> Item | None:
        """The oldest row not refused, leaving out the alerts in `skip` with all that is theirs.

        Left out too: the evidence of those in `late`, and without `evidence` all of it.
        """
        with self._read() as db:
            row = db.execute(
                "SELECT seq, what, alert_id, part, body, path FROM rows WHERE refused IS NULL"
                " AND alert_id NOT IN (SELECT value FROM json_each(?))"
                " AND (what = ? OR (? AND alert_id NOT IN (SELECT value FROM json_each(?))))"
                " ORDER BY seq LIMIT 1",
                (_ids(skip), What.ALERT, evidence, _ids(late)),
            ).fetchone()
        if row is None:
            return None
        seq, what, alert_id, part, body, path = row
        kind = None if what == What.ALERT else MediaKind(part)
        return Item(seq, What(what), UUID(alert_id), kind, body, Path(path) if path else None)

    def done(self, seq: int) -> None:
        """The API has it."""
        with self._write() as db:
            db.execute("DELETE FROM rows WHERE seq = ?", (seq,))

    def refuse(self, seq: int, why: str) -> None:
        """The API will never take it: kept and counted, but no longer sent."""
        with self._write() as db:
            db.execute("UPDATE rows SET refused = ? WHERE seq = ?", (why, seq))

    def lost(self, seq: int, reason: str) -> None:
        """The evidence file of this row is gone: tell the API that, in its place in the row."""
        with self._write() as db:
            db.execute(
                "UPDATE rows SET what = ?, body = ?, path = NULL WHERE seq = ?",
                (What.MISSING, json.dumps({"reason": reason}), seq),
            )

    # ------------------------------------------------------------ looking

    @property
    def n_waiting(self) -> int:
        """Rows to be sent."""
        return self._count("refused IS NULL")

    @property
    def n_refused(self) -> int:
        """Rows the API refused."""
        return self._count("refused IS NOT NULL")

    def open_alerts(self) -> list[AlertIn]:
        """The newest phase of every alert without an end."""
        with self._read() as db:
            bodies = db.execute("SELECT body FROM open_alerts ORDER BY rowid").fetchall()
        try:
            return [AlertIn.model_validate_json(body) for (body,) in bodies]
        except ValidationError as error:
            raise self._error(error, "move the file away; it holds undelivered alerts") from error

    def due_media(self) -> list[tuple[UUID, MediaKind]]:
        """Evidence of which the API was promised a word and has none."""
        with self._read() as db:
            due = db.execute("SELECT alert_id, kind FROM due_media ORDER BY rowid").fetchall()
        return [(UUID(alert_id), MediaKind(kind)) for alert_id, kind in due]

    def paths(self) -> set[Path]:
        """The evidence files that rows point to."""
        with self._read() as db:
            return {Path(p) for (p,) in db.execute("SELECT path FROM rows WHERE path IS NOT NULL")}

    def close(self) -> None:
        """Close every thread's connection; call it when no other thread uses the outbox any more."""
        while self._all:
            self._all.pop().close()

    # ------------------------------------------------------------ SQLite

    def _count(self, where: str) -> int:
        with self._read() as db:
            return int(db.execute(f"SELECT count(*) FROM rows WHERE {where}").fetchone()[0])  # noqa: S608  fixed

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except sqlite3.Error as error:
            raise self._mapped(error) from error

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._mapped(error) from error

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._own, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, _BUSY_S, isolation_level=None, check_same_thread=False)
            self._all.append(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            self._own.db = db
        return db

    def _mapped(self, error: sqlite3.Error) -> StorageError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        todo = {
            sqlite3.SQLITE_FULL: "Make room on this disk; the worker tries again by itself",
            sqlite3.SQLITE_BUSY: "Look for a second worker with the same state folder and stop it",
            sqlite3.SQLITE_READONLY: "Make the file and its folder writable for the worker",
            sqlite3.SQLITE_CANTOPEN: "Make the file and its folder writable for the worker",
            sqlite3.SQLITE_CORRUPT: "Move the file away and keep it: undelivered alerts may be saved from it",
            sqlite3.SQLITE_NOTADB: "Move the file away: something else has written to it",
        }.get(code, "Look at the disk and at the permissions of this file")
        return self._error(error, todo)

    def _error(self, error: Exception, todo: str) -> StorageError:
        return StorageError("the outbox cannot be used", where=str(self._path), got=str(error), todo=todo)


def _ids(alert_ids: Collection[UUID]) -> str:
    """As SQLite's json_each reads them."""
    return json.dumps([str(alert_id) for alert_id in alert_ids])
