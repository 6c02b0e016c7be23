"""Alerts, their history and evidence rows: written as workers tell, read for people. What people do is in life.py.

A phase is stored once, by (alert_id, phase, revision); the alert's row shows the newest phase whatever the
order of arrival. Phases that come while a commit is under way wait and share the next commit, so a disk
flush is paid once for many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.cameras import ensure_cameras
from api.db.cursor import decode, encode
from api.db.intake import Batch, fold
from api.db.outbound import enqueue
from api.db.rows import (
    PENDING,
    PHASE_RANK,
    action_out,
    alert_out,
    alerts_select,
    media_out,
    phase_out,
    verdict_out,
)
from api.db.session import AlertNews, Database, Write
from api.db.suppress import HOUR, Limits, suppress, unsent
from api.schemas import (
    AlertDetail,
    AlertIn,
    AlertOut,
    AlertPage,
    MediaKind,
    MediaOut,
    MediaState,
    Suppression,
)
from api.schemas_desk import LoadOut
from detector.errors import StorageError
from detector.types import Phase, Severity

Cameras = frozenset[str] | None  # None: all
_BATCH = 256  # phases in one commit
PAGE_LIMIT, SPAN_LIMIT = 200, 1000


_NO_LIMITS = Limits()


class UnknownAlert(LookupError):
    """No alert has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts a list shows; None is any. verdict "none" is those without one."""

    camera_id: str | None = None
    rule: str | None = None
    phase: Phase | None = None
    severity: Severity | None = None
    verdict: str | None = None
    suppressed: str = "no"  # "no", "only" (repeats, above the budget), "shadow" or "any"
    cameras: Cameras = None  # the only ones that may be shown


@dataclass(frozen=True, slots=True)
class Span:
    """The alerts that a camera opened in a time, suppressed ones too."""

    camera_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class MediaRow:
    """What is known of a piece of evidence that came."""

    kind: MediaKind
    sha256: str
    n_bytes: int
    start_t: float | None
    duration_s: float | None
    note: str = ""  # what it falls short of


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of evidence, come or not."""

    media: MediaOut
    sha256: str  # "" unless ready
    label: str  # for people: camera, UTC time and kind; never a path


@dataclass(slots=True)
class _Waiting:
    alert: AlertIn
    done: asyncio.Future[bool]


class AlertStore:
    """Reads and writes alerts."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], limits: Limits = _NO_LIMITS
    ) -> None:
        self._db, self._clock, self._limits = database, clock, limits
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    # ------------------------------------------------------------ from the worker

    async def ingest(self, alert: AlertIn) -> bool:
        """Store one phase durably; false when it was already stored. Raises StorageError."""
        mine = _Waiting(alert, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        async with self._turn:
            while not mine.done.done():
                await self._commit_waiting()
        return await mine.done

    async def _commit_waiting(self) -> None:
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        try:
            async with self._db.writing() as write:
                fresh = await self._write_phases(write, [waiting.alert for waiting in batch])
        except StorageError as error:
            for waiting in batch:
                waiting.done.set_exception(error)
        else:
            for waiting, is_new in zip(batch, fresh, strict=True):
                waiting.done.set_result(is_new)
        finally:
            for waiting in batch:
                if not waiting.done.done():  # this commit was broken off; the worker sends again
                    waiting.done.set_exception(StorageError("the write was broken off"))

    async def _write_phases(self, write: Write, phases: Sequence[AlertIn]) -> list[bool]:
        """Returns for each phase whether it was new."""
        connection, now = write.connection, self._clock()
        ids = list({alert.alert_id for alert in phases})
        keys = select(tb.alert_phases.c.alert_id, tb.alert_phases.c.phase, tb.alert_phases.c.revision)
        stored = await connection.execute(keys.where(tb.alert_phases.c.alert_id.in_(ids)))
        rows = await connection.execute(select(tb.alerts).where(tb.alerts.c.alert_id.in_(ids)))
        batch = Batch(
            stored={(row.alert_id, row.phase, row.revision) for row in stored},
            known={row["alert_id"]: dict(row) for row in rows.mappings()},
        )
        before = {alert_id: row["severity"] for alert_id, row in batch.known.items()}
        fresh = [fold(batch, alert, now) for alert in phases]
        if batch.phases:
            risen = await suppress(connection, batch, before, self._limits, now)
            order = batch.changed()
            batch.number(await _reserve(connection, len(order)))
            await ensure_cameras(connection, {row["camera_id"] for row in batch.new.values()})
            await _write_batch(connection, batch)
            told = await unsent(connection, risen) if risen else []
            told += [one for one, new in zip(phases, fresh, strict=True) if new]
            shown = [one for one in told if batch.row(one.alert_id)["suppressed"] is None]
            await enqueue(connection, shown, now)
            await self._tell(write, order)
        return fresh

    async def _tell(self, write: Write, alert_ids: Sequence[UUID]) -> None:
        """Put the alerts as they now stand into the news of this write, in the order of their numbers."""
        wanted = alerts_select().where(tb.alerts.c.alert_id.in_(alert_ids)).order_by(tb.alerts.c.change)
        write.news.extend(await self._read(write.connection, wanted))

    async def put_media(self, alert_id: UUID, media: MediaRow) -> None:
        """Note that a piece of evidence is on disk. Raises UnknownAlert, StorageError."""
        values = {
            "state": MediaState.READY.value,
            "reason": media.note,
            "bytes": media.n_bytes,
            "sha256": media.sha256,
            "start_t": media.start_t,
            "duration_s": media.duration_s,
        }
        async with self._db.writing() as write:
            await self._put_media_row(write, alert_id, media.kind, values)

    async def put_missing(self, alert_id: UUID, kind: MediaKind, reason: str) -> None:
        """Note that evidence will never come; what is here stays. Raises UnknownAlert, StorageError."""
        values = {
            "state": MediaState.MISSING.value,
            "reason": reason,
            "bytes": 0,
            "sha256": "",
            "start_t": None,
            "duration_s": None,
        }
        async with self._db.writing() as write:
            row = await _media_row(write.connection, alert_id, kind)
            if row is None or row["state"] != MediaState.READY.value:
                await self._put_media_row(write, alert_id, kind, values)

    async def _put_media_row(
        self, write: Write, alert_id: UUID, kind: MediaKind, values: dict[str, Any]
    ) -> None:
        await _must_exist(write.connection, alert_id)
        known = await _media_row(write.connection, alert_id, kind)
        if known is not None and all(known[name] == value for name, value in values.items()):
            return
        key = {"alert_id": alert_id, "kind": kind.value}
        if known is None:
            await write.connection.execute(insert(tb.media).values(**key, **values))
        else:
            where = (tb.media.c.alert_id == alert_id) & (tb.media.c.kind == kind.value)
            await write.connection.execute(update(tb.media).where(where).values(**values))
        await self.touch(write, alert_id, {})

    async def touch(self, write: Write, alert_id: UUID, values: dict[str, Any]) -> None:
        """Give an alert its next change number, within a write, and tell of it."""
        change = await _reserve(write.connection, 1)
        changed = {"change": change, "updated_at": self._clock(), **values}
        await write.connection.execute(
            update(tb.alerts).where(tb.alerts.c.alert_id == alert_id).values(**changed)
        )
        await self._tell(write, [alert_id])

    # ------------------------------------------------------------ for people

    async def page(self, wanted: AlertFilter, limit: int, cursor: str | None) -> AlertPage:
        """Newest arrival first; `limit` is capped at PAGE_LIMIT. Raises BadCursor, StorageError."""
        limit = min(limit, PAGE_LIMIT)
        query = _filtered(wanted).order_by(tb.alerts.c.arrival.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(tb.alerts.c.arrival < decode(cursor))
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
            items = await self._outs(connection, rows[:limit])
        after = encode(rows[limit - 1]["arrival"]) if len(rows) > limit else None
        return AlertPage(items=items, next=after)

    async def opened_in(self, span: Span) -> list[AlertOut]:
        """The newest SPAN_LIMIT alerts of a span, oldest first. Raises StorageError."""
        mine = (tb.alerts.c.camera_id == span.camera_id) & tb.alerts.c.opened_at.between(
            span.since, span.until
        )
        query = alerts_select().where(mine).order_by(tb.alerts.c.opened_at.desc()).limit(SPAN_LIMIT)
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
            return await self._outs(connection, rows[::-1])

    async def is_of(self, alert_id: UUID, cameras: Cameras) -> bool:
        """Whether there is such an alert of one of these cameras. Raises StorageError."""
        query = _within(select(tb.alerts.c.change).where(tb.alerts.c.alert_id == alert_id), cameras)
        async with self._db.reading() as connection:
            return (await connection.execute(query)).first() is not None

    async def detail(self, alert_id: UUID) -> AlertDetail:
        """Everything about one alert. Raises UnknownAlert, StorageError."""
        async with self._db.reading() as connection:
            found = await connection.execute(alerts_select().where(tb.alerts.c.alert_id == alert_id))
            row = found.mappings().first()
            if row is None:
                raise UnknownAlert(alert_id)
            (head,) = await self._outs(connection, [row])
            phases = await connection.execute(
                select(tb.alert_phases).where(tb.alert_phases.c.alert_id == alert_id)
            )
            history = sorted(phases.mappings(), key=lambda r: (r["revision"], PHASE_RANK[Phase(r["phase"])]))
            verdicts = await connection.execute(
                select(tb.verdicts).where(tb.verdicts.c.alert_id == alert_id).order_by(tb.verdicts.c.id)
            )
            actions = await connection.execute(
                select(tb.actions).where(tb.actions.c.alert_id == alert_id).order_by(tb.actions.c.id)
            )
            newest = AlertIn.model_validate_json(history[-1]["body"])
            return AlertDetail(
                **dict(head),
                t=newest.t,
                started_t=newest.started_t,
                opened_t=row["opened_t"],
                track_ids=newest.track_ids,
                series=newest.series,
                box=newest.box,
                provenance=newest.provenance,
                stages=newest.stages,
                history=[phase_out(r) for r in history],
                verdicts=[verdict_out(r) for r in verdicts.mappings()],
                actions=[action_out(r) for r in actions.mappings()],
            )

    async def media(self, alert_id: UUID, kind: MediaKind) -> Evidence:
        """A piece of evidence. Raises UnknownAlert, StorageError."""
        named = select(tb.cameras.c.name, tb.alerts.c.opened_at).join_from(tb.alerts, tb.cameras)
        async with self._db.reading() as connection:
            head = (await connection.execute(named.where(tb.alerts.c.alert_id == alert_id))).first()
            if head is None:
                raise UnknownAlert(alert_id)
            row = await _media_row(connection, alert_id, kind)
        label = f"{head.name} {head.opened_at:%Y-%m-%d %H-%M-%S}Z {kind.value}"
        return Evidence(PENDING, "", label) if row is None else Evidence(media_out(row), row["sha256"], label)

    async def of_case(self, case_id: int) -> list[AlertOut]:
        """The alerts of a case, oldest first. Raises StorageError."""
        inside = select(tb.case_alerts.c.alert_id).where(tb.case_alerts.c.case_id == case_id)
        query = alerts_select().where(tb.alerts.c.alert_id.in_(inside))
        async with self._db.reading() as connection:
            rows = (await connection.execute(query.order_by(tb.alerts.c.opened_at))).mappings().all()
            return await self._outs(connection, rows)

    async def load(self, cameras: Cameras) -> LoadOut:
        """What was put before people in the last hour, and what not. Raises StorageError."""
        why = tb.alerts.c.suppressed
        recent = select(why, func.count()).where(tb.alerts.c.received_at > self._clock() - HOUR)
        async with self._db.reading() as connection:
            found = await connection.execute(_within(recent, cameras).group_by(why))
            counts = {row[0]: row[1] for row in found}
        hidden = {one: counts.get(one.value, 0) for one in Suppression}
        return LoadOut(shown=counts.get(None, 0), budget=self._limits.budget, suppressed=hidden)

    # ------------------------------------------------------------ for the feed

    async def head(self) -> int:
        """The last change number given out."""
        async with self._db.reading() as connection:
            return int((await connection.execute(select(tb.feed_head.c.change))).scalar_one())

    async def changes_after(self, change: int, limit: int, cameras: Cameras = None) -> list[AlertNews]:
        """The alerts of these cameras that changed after a number, oldest change first."""
        wanted = _within(alerts_select().where(tb.alerts.c.change > change), cameras)
        async with self._db.reading() as connection:
            return await self._read(connection, wanted.order_by(tb.alerts.c.change).limit(limit))

    # ------------------------------------------------------------ rows to wire shapes

    async def _read(self, connection: AsyncConnection, query: Select[Any]) -> list[AlertNews]:
        rows = (await connection.execute(query)).mappings().all()
        outs = await self._outs(connection, rows)
        return [AlertNews(row["change"], out) for row, out in zip(rows, outs, strict=True)]

    async def _outs(self, connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[AlertOut]:
        """The wire shape of alert rows, with their evidence."""
        ids = [row["alert_id"] for row in rows]
        media: dict[UUID, list[RowMapping]] = {alert_id: [] for alert_id in ids}
        if ids:
            found = await connection.execute(select(tb.media).where(tb.media.c.alert_id.in_(ids)))
            for row in found.mappings():
                media[row["alert_id"]].append(row)
        now = self._clock()
        return [alert_out(row, media[row["alert_id"]], now) for row in rows]


def _filtered(wanted: AlertFilter) -> Select[Any]:
    query = _within(alerts_select(), wanted.cameras)
    for name in ("camera_id", "rule", "phase", "severity"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(tb.alerts.c[name] == str(value))
    why = tb.alerts.c.suppressed
    silent = why == Suppression.SHADOW.value
    if wanted.suppressed != "any":
        query = query.where(
            {"no": why.is_(None), "only": why.is_not(None) & ~silent, "shadow": silent}[wanted.suppressed]
        )
    if wanted.verdict == "none":
        query = query.where(tb.alerts.c.verdict_id.is_(None))
    elif wanted.verdict is not None:
        query = query.where(tb.verdicts.c.verdict == wanted.verdict)
    return query


def _within(query: Select[Any], cameras: Cameras) -> Select[Any]:
    return query if cameras is None else query.where(tb.alerts.c.camera_id.in_(sorted(cameras)))


async def _reserve(connection: AsyncConnection, n: int) -> int:
    """Take the next n change numbers; returns the first. The row stays locked until the commit."""
    head = tb.feed_head.c.change
    taken = await connection.execute(update(tb.feed_head).values(change=head + n).returning(head))
    return int(taken.scalar_one()) - n + 1


async def _write_batch(connection: AsyncConnection, batch: Batch) -> None:
    if batch.new:
        await connection.execute(insert(tb.alerts), list(batch.new.values()))
    for alert_id in batch.changed():
        if alert_id in batch.known:
            row = batch.known[alert_id]
            await connection.execute(update(tb.alerts).where(tb.alerts.c.alert_id == alert_id).values(**row))
    await connection.execute(insert(tb.alert_phases), batch.phases)


async def _must_exist(connection: AsyncConnection, alert_id: UUID) -> None:
    found = await connection.execute(select(tb.alerts.c.change).where(tb.alerts.c.alert_id == alert_id))
    if found.first() is None:
        raise UnknownAlert(alert_id)


async def _media_row(connection: AsyncConnection, alert_id: UUID, kind: MediaKind) -> dict[str, Any] | None:
    where = (tb.media.c.alert_id == alert_id) & (tb.media.c.kind == kind.value)
    row = (await connection.execute(select(tb.media).where(where))).mappings().first()
    return None if row is None else dict(row)
