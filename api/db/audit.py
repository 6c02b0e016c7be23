"""The audit: a table that only grows, each line chained to the one before by its hash.

What changes something is appended in the transaction that changes it. What only looks (views, downloads) or is
refused is queued, and written by one task, many lines in one transaction: nobody who looks waits for the disk,
and a writer of alerts waits for one short transaction at most. While the database refuses, queued lines wait;
when too many wait, nothing more is shown.

The chain finds a line that was changed, removed or put in between, and a tail that was cut off unless the count
was changed with it; who keeps a printed "number:hash" elsewhere finds that too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import cursor as page
from api.db import tables as tb
from api.db.rows import Row
from api.db.session import Database, Write
from api.schemas import Fact
from api.schemas_audit import AuditOut, AuditPage, What
from detector.errors import ConfigError, StorageError

log = logging.getLogger(__name__)

PAGE_LIMIT = 200
MAX_WAITING = 10_000  # queued lines; more than that are refused, and with them what they tell of
ONCE_IN = timedelta(minutes=10)  # the same look of the same person is one line in this time
_MAX_REMEMBERED = 10_000  # looks
_BATCH = 500
_AGAIN_S = 1.0
_FIRST = "0" * 64  # what the first line is chained to


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be told."""

    who: str
    what: What
    about: str
    details: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines a page shows; None is any."""

    who: str | None = None
    what: What | None = None
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a walk along the chain found: how many lines hold, and what is wrong with the next."""

    n: int
    hash: str  # of the last line that holds
    broken: str  # "" when the whole chain holds


class AuditLog:
    """Appends, reads and checks."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db, self._clock = database, clock
        self._waiting: list[tuple[datetime, Entry]] = []
        self._called = asyncio.Event()
        self._turn = asyncio.Lock()
        self._looks: dict[tuple[str, str, str, str], datetime] = {}

    # ------------------------------------------------------------ appending

    async def append(self, write: Write, *entries: Entry) -> None:
        """Add lines within a write: they stand if it stands. Last in the write, so that locks have one order."""
        now = self._clock()
        await self._append(write, [(now, entry) for entry in entries])

    def queue(self, entry: Entry) -> None:
        """Have a line written soon. Raises StorageError when the audit cannot keep up."""
        if len(self._waiting) >= MAX_WAITING:
            raise StorageError("the audit cannot be written", got=f"{MAX_WAITING} lines wait")
        self._waiting.append((self._clock(), entry))
        self._called.set()

    def look(self, entry: Entry) -> None:
        """Queue a line about looking, once in ONCE_IN: a clip that is played comes in many parts. Raises StorageError."""
        now, key = self._clock(), (entry.who, entry.what, entry.about, json.dumps(dict(entry.details)))
        before = self._looks.pop(key, None)
        if before is None or now - before >= ONCE_IN:
            self.queue(entry)
            before = now
        self._looks[key] = before
        if len(self._looks) > _MAX_REMEMBERED:
            self._looks.pop(next(iter(self._looks)))

    async def run(self) -> None:
        """Write what is queued, for ever; what the database refuses is tried again."""
        while True:
            await self._called.wait()
            self._called.clear()
            try:
                await self.settle()
            except StorageError:
                self._called.set()
                await asyncio.sleep(_AGAIN_S)

    async def settle(self) -> None:
        """Write what is queued now. Raises StorageError; nothing is lost by it."""
        async with self._turn:
            while self._waiting:
                batch = self._waiting[:_BATCH]
                async with self._db.writing() as write:
                    await self._append(write, batch)
                del self._waiting[: len(batch)]

    async def _append(self, write: Write, entries: Sequence[tuple[datetime, Entry]]) -> None:
        """The head's row is locked by its update until the commit, so lines are numbered one after another."""
        head, run = tb.audit_head.c, write.connection.execute
        taken = await run(update(tb.audit_head).values(n=head.n + len(entries)).returning(head.n, head.hash))
        last, chained = taken.one()
        rows = []
        for number, (at, entry) in enumerate(entries, start=last - len(entries) + 1):
            row = {
                "id": number,
                "at": at,
                "who": entry.who,
                "what": entry.what.value,
                "about": entry.about,
                "details": json.dumps(dict(entry.details), sort_keys=True),
            }
            chained = _hash(chained, row)
            rows.append(row | {"hash": chained})
        await run(insert(tb.audit), rows)
        await run(update(tb.audit_head).values(hash=chained))

    # ------------------------------------------------------------ reading

    async def page(self, wanted: AuditFilter, limit: int, cursor: str | None) -> AuditPage:
        """Newest first; `limit` is capped at PAGE_LIMIT. Raises BadCursor, StorageError."""
        limit = min(limit, PAGE_LIMIT)
        query = _filtered(wanted).order_by(tb.audit.c.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(tb.audit.c.id < page.decode(cursor))
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        after = page.encode(rows[limit - 1]["id"]) if len(rows) > limit else None
        return AuditPage(items=[_out(row) for row in rows[:limit]], next=after)

    async def check(self, expected: tuple[int, str] | None = None) -> Checked:
        """Walk the whole chain; `expected` is the number and the hash of a line, as they were told before.

        Raises StorageError.
        """
        n, chained = 0, _FIRST
        async with self._db.reading() as connection:
            n_written = (await connection.execute(select(tb.audit_head.c.n))).scalar_one()
            while rows := await _next(connection, n):
                for row in rows:
                    wrong = _wrong(row, n + 1, chained, expected)
                    if wrong:
                        return Checked(n, chained, wrong)
                    n, chained = n + 1, row["hash"]
            head = (await connection.execute(select(tb.audit_head))).one()
        n_written = max(n_written, expected[0] if expected else 0)
        if n < n_written:
            return Checked(n, chained, f"line {n + 1}: the end is missing, there was a line {n_written}")
        if head.n < n or (head.n == n and head.hash != chained):  # it may have grown since the walk
            return Checked(n, chained, f"line {n}: the head of the chain does not name it")
        return Checked(n, chained, "")


def told_link(text: str) -> tuple[int, str]:
    """NUMBER:HASH of a line, as a check told it. Raises ConfigError."""
    number, _, hashed = text.partition(":")
    if not (number.isdecimal() and int(number) > 0 and len(hashed) == 64):
        raise ConfigError("not a link of the audit", where="--expect", wanted="NUMBER:HASH", got=text[:80])
    return int(number), hashed


def _hash(chained: str, row: Row) -> str:
    at: datetime = row["at"]
    told = [chained, row["id"], at.astimezone(UTC).isoformat(timespec="microseconds")]
    told += [row[name] for name in ("who", "what", "about", "details")]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _wrong(row: RowMapping, number: int, chained: str, expected: tuple[int, str] | None) -> str:
    if row["id"] != number:
        return f"line {number}: it is missing, the next one is {row['id']}"
    if row["hash"] != _hash(chained, row):
        return f"line {number}: it is not what was written"
    if expected is not None and expected[0] == number and expected[1] != row["hash"]:
        return f"line {number}: it has another hash than expected"
    return ""


async def _next(connection: AsyncConnection, after: int) -> Sequence[RowMapping]:
    query = select(tb.audit).where(tb.audit.c.id > after).order_by(tb.audit.c.id).limit(_BATCH)
    return (await connection.execute(query)).mappings().all()


def _filtered(wanted: AuditFilter) -> Select[Any]:
    query = select(tb.audit)
    for name in ("who", "what", "about"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(tb.audit.c[name] == str(value))
    if wanted.since is not None:
        query = query.where(tb.audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(tb.audit.c.at < wanted.until)
    return query


def _out(row: RowMapping) -> AuditOut:
    values = {name: row[name] for name in AuditOut.model_fields}
    return AuditOut(**values | {"details": json.loads(row["details"])})
