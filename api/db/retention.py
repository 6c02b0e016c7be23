"""What may go and what has gone: the order in which evidence leaves, the log of it, the storage's marker.

An alert's age counts from `kept_from`, which a pass sets while the clock is believed (api/trusted.py): when it
was received, or when the pass came if that cannot be. The order under pressure is that of arrival, so no clock
counts in it.

A removal is a change of rows first: in one transaction the evidence says why it is not there, the log has its
line and the feed its news; what is held by then is left out. The files follow (api/retention.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, and_, case, false, func, insert, or_, select, update

from api.db import cursor as page
from api.db import tables as tb
from api.db.alerts import AlertStore, Cameras
from api.db.audit import AuditLog, Entry
from api.db.session import Database, Write
from api.schemas import MediaKind, MediaState, Verdict
from api.schemas_audit import What
from api.schemas_storage import DeletionOut, DeletionPage, Why
from api.trusted import NEAR
from detector.types import Severity

LOG_LIMIT = 200  # lines in a page


class Standing(IntEnum):
    """What an alert is worth keeping for; the lowest goes first when room is needed."""

    DISMISSED = 0  # the verdict is false
    ORDINARY = 1  # unclear, or nobody has looked
    HIGH = 2  # the same, of high severity
    CONFIRMED = 3  # the verdict is true
    CONFIRMED_HIGH = 4


Cutoffs = Mapping[Standing, datetime]  # what came before is kept no longer; empty: no age counts now
FILE_MISSING = "file missing on the disk of the service"


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of evidence."""

    alert_id: UUID
    kind: MediaKind
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert that has evidence on disk and is not held."""

    alert_id: UUID
    standing: Standing
    verdict_id: int | None  # as it was when the alert was chosen
    pieces: tuple[Piece, ...]

    @property
    def n_bytes(self) -> int:
        """Of all its files."""
        return sum(piece.n_bytes for piece in self.pieces)


_IS_HIGH = tb.alerts.c.severity == Severity.HIGH.value
_STANDING: ColumnElement[int] = case(
    (tb.verdicts.c.verdict == Verdict.FALSE.value, Standing.DISMISSED.value),
    (and_(tb.verdicts.c.verdict == Verdict.TRUE.value, _IS_HIGH), Standing.CONFIRMED_HIGH.value),
    (tb.verdicts.c.verdict == Verdict.TRUE.value, Standing.CONFIRMED.value),
    (_IS_HIGH, Standing.HIGH.value),
    else_=Standing.ORDINARY.value,
)
_READY = tb.media.c.state == MediaState.READY.value


class RetentionStore:
    """Chooses, forgets, logs."""

    def __init__(
        self, database: Database, alerts: AlertStore, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._db, self._alerts, self._audit, self._clock = database, alerts, audit, clock

    # ------------------------------------------------------------ choosing

    async def expired(self, cutoffs: Cutoffs, limit: int) -> list[Kept]:
        """Alerts whose time is over, the oldest first. Raises StorageError."""
        over = _removable().where(_is_over(cutoffs)).order_by(tb.alerts.c.kept_from)
        return await self._choose(over, limit)

    async def first_to_go(self, limit: int) -> list[Kept]:
        """Who gives room: the lowest standing, of that the first that came. Raises StorageError."""
        return await self._choose(_removable().order_by(_STANDING, tb.alerts.c.arrival), limit)

    async def _choose(self, query: Select[Any], limit: int) -> list[Kept]:
        async with self._db.reading() as connection:
            rows = (await connection.execute(query.limit(limit))).all()
            ids = [row.alert_id for row in rows]
            found = await connection.execute(select(tb.media).where(tb.media.c.alert_id.in_(ids), _READY))
            pieces: dict[UUID, list[Piece]] = {alert_id: [] for alert_id in ids}
            for row in found:
                pieces[row.alert_id].append(Piece(row.alert_id, MediaKind(row.kind), row.bytes))
        return [
            Kept(row.alert_id, Standing(row.standing), row.verdict_id, tuple(pieces[row.alert_id]))
            for row in rows
            if pieces[row.alert_id]
        ]

    # ------------------------------------------------------------ forgetting

    async def remove(
        self, chosen: Sequence[Kept], why: Why, reason: Callable[[Standing], str]
    ) -> list[Piece]:
        """Forget the evidence of these alerts; returns whose files may go. Raises StorageError.

        An alert that is held by now, or has another verdict, stays.
        """
        removed: list[Piece] = []
        async with self._db.writing() as write:
            ids = [kept.alert_id for kept in chosen]
            free = select(tb.alerts.c.alert_id, tb.alerts.c.verdict_id).where(
                tb.alerts.c.alert_id.in_(ids), tb.alerts.c.held_at.is_(None)
            )
            still = {(row.alert_id, row.verdict_id) for row in await write.connection.execute(free)}
            for kept in chosen:
                if (kept.alert_id, kept.verdict_id) in still:
                    await self._forget(write, kept.pieces, why, reason(kept.standing))
                    removed += kept.pieces
        return removed

    async def file_missing(self, pieces: Sequence[Piece]) -> None:
        """These have no file any more, and nobody here removed it. Raises StorageError."""
        async with self._db.writing() as write:
            for piece in pieces:
                await self._forget(write, [piece], Why.FILE_MISSING, FILE_MISSING)

    async def _forget(self, write: Write, pieces: Sequence[Piece], why: Why, reason: str) -> None:
        now, alert_id = self._clock(), pieces[0].alert_id
        gone = {
            "state": MediaState.MISSING.value,
            "reason": f"{reason} ({now:%Y-%m-%d %H:%M} UTC)",
            "bytes": 0,
            "sha256": "",
            "start_t": None,
            "duration_s": None,
        }
        kinds = [piece.kind.value for piece in pieces]
        where = (tb.media.c.alert_id == alert_id) & tb.media.c.kind.in_(kinds) & _READY
        await write.connection.execute(update(tb.media).where(where).values(**gone))
        camera = select(tb.alerts.c.camera_id).where(tb.alerts.c.alert_id == alert_id)
        line = {
            "alert_id": alert_id,
            "camera_id": (await write.connection.execute(camera)).scalar_one(),
            "why": why.value,
            "reason": reason,
            "at": now,
        }
        lines = [line | {"kind": piece.kind.value, "bytes": piece.n_bytes} for piece in pieces]
        await write.connection.execute(insert(tb.deletions), lines)
        await self._alerts.touch(write, alert_id, {})
        entry = Entry("retention", What.DELETION, str(alert_id), {"why": why.value, "kinds": " ".join(kinds)})
        await self._audit.append(write, entry)

    # ------------------------------------------------------------ looking

    async def pieces_after(self, alert_id: UUID, limit: int) -> list[Piece]:
        """All evidence that is said to be there, of the next `limit` alerts by id. Raises StorageError."""
        ids = select(tb.media.c.alert_id).where(_READY, tb.media.c.alert_id > alert_id).distinct()
        ids = ids.order_by(tb.media.c.alert_id).limit(limit)
        query = select(tb.media).where(_READY, tb.media.c.alert_id.in_(ids)).order_by(tb.media.c.alert_id)
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Piece(row.alert_id, MediaKind(row.kind), row.bytes) for row in rows]

    async def ready_of(self, alert_ids: Collection[UUID]) -> set[tuple[UUID, MediaKind]]:
        """Which evidence of these alerts is said to be there. Raises StorageError."""
        query = select(tb.media.c.alert_id, tb.media.c.kind).where(tb.media.c.alert_id.in_(alert_ids), _READY)
        async with self._db.reading() as connection:
            return {(row.alert_id, MediaKind(row.kind)) for row in await connection.execute(query)}

    async def stored_bytes(self) -> tuple[int, int]:
        """Of all evidence that is said to be there, and of the held part. Raises StorageError."""
        held = case((tb.alerts.c.held_at.is_not(None), tb.media.c.bytes), else_=0)
        query = select(func.coalesce(func.sum(tb.media.c.bytes), 0), func.coalesce(func.sum(held), 0))
        query = query.select_from(tb.media.join(tb.alerts)).where(_READY)
        async with self._db.reading() as connection:
            total, of_held = (await connection.execute(query)).one()
        return int(total), int(of_held)

    # ------------------------------------------------------------ time

    async def seen_at(self) -> datetime | None:
        """The last time that was believed, None before the first. Raises StorageError."""
        async with self._db.reading() as connection:
            seen_at: datetime | None = (await connection.execute(select(tb.storage.c.seen_at))).scalar_one()
        return seen_at

    async def saw(self, now: datetime) -> None:
        """The time is believed to be `now`: new alerts age from when they were received. Raises StorageError."""
        async with self._db.writing() as write:
            before = (await write.connection.execute(select(tb.storage.c.seen_at))).scalar_one() or now
            received_at = tb.alerts.c.received_at
            is_right = received_at.between(before - NEAR, now + NEAR)
            await write.connection.execute(
                update(tb.alerts)
                .where(tb.alerts.c.kept_from.is_(None))
                .values(kept_from=case((is_right, received_at), else_=now))
            )
            await write.connection.execute(update(tb.storage).values(seen_at=now))

    async def log_page(
        self, alert_id: UUID | None, cameras: Cameras, limit: int, cursor: str | None
    ) -> DeletionPage:
        """The log of these cameras, newest first; `limit` is capped at LOG_LIMIT. Raises BadCursor, StorageError."""
        limit = min(limit, LOG_LIMIT)
        query = select(tb.deletions).order_by(tb.deletions.c.id.desc()).limit(limit + 1)
        if alert_id is not None:
            query = query.where(tb.deletions.c.alert_id == alert_id)
        if cameras is not None:
            query = query.where(tb.deletions.c.camera_id.in_(sorted(cameras)))
        if cursor is not None:
            query = query.where(tb.deletions.c.id < page.decode(cursor))
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        items = [
            DeletionOut(**{name: row[name] for name in DeletionOut.model_fields}) for row in rows[:limit]
        ]
        return DeletionPage(
            items=items, next=page.encode(rows[limit - 1]["id"]) if len(rows) > limit else None
        )

    # ------------------------------------------------------------ the marker of the storage

    async def marker(self) -> tuple[UUID, bool]:
        """What the marker file must say, and whether it was ever written. Raises StorageError."""
        async with self._db.writing() as write:
            row = (await write.connection.execute(select(tb.storage))).first()
            if row is not None:
                return row.marker, row.placed
            marker = uuid4()
            await write.connection.execute(insert(tb.storage).values(id=1, marker=marker, placed=False))
        return marker, False

    async def marker_is(self, marker: UUID) -> None:
        """The marker file says this, and from now on it must. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(update(tb.storage).values(marker=marker, placed=True))


def _removable() -> Select[Any]:
    joined = tb.alerts.outerjoin(tb.verdicts, tb.alerts.c.verdict_id == tb.verdicts.c.id)
    return (
        select(tb.alerts.c.alert_id, tb.alerts.c.verdict_id, _STANDING.label("standing"))
        .select_from(joined)
        .where(tb.alerts.c.held_at.is_(None), _has_evidence())
    )


def _has_evidence() -> ColumnElement[bool]:
    return select(tb.media.c.kind).where(tb.media.c.alert_id == tb.alerts.c.alert_id, _READY).exists()


def _is_over(cutoffs: Cutoffs) -> ColumnElement[bool]:
    return or_(
        false(),
        *(
            and_(_STANDING.in_((standing.value,)), tb.alerts.c.kept_from < before)
            for standing, before in cutoffs.items()
        ),
    )
