"""Targets outside, what waits for each, and how each try went.

What goes out is queued in the transaction that stores the phase of the alert, so neither is there without the
other. A row leaves the queue in the transaction that notes how it ended. Secrets leave this file only in a
`Target`, which is handed to the senders alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Row, delete, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db import tables as tb
from api.db.audit import AuditLog, Entry
from api.db.session import Database, Write
from api.schemas import AlertIn, MediaKind, MediaState
from api.schemas_audit import What
from api.schemas_outbound import DeliveryOut, Filter, Outcome, TargetIn, TargetOut
from detector.types import SEVERITY_ORDER, Phase

LOG_KEPT = 500  # lines for each target
SNAPSHOT_WAIT = timedelta(seconds=20)  # a mail waits so long for its picture
_SECRET = ("url", "key", "password")

_T, _Q, _L = tb.outbound_targets.c, tb.outbound_queue.c, tb.outbound_log.c


class UnknownTarget(LookupError):
    """No target has this id."""


class BadTarget(ValueError):
    """The name is taken, the kind cannot change, or a secret is missing."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target with its secrets: for the senders alone."""

    target_id: int
    name: str
    kind: str
    enabled: bool
    options: Mapping[str, Any]
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Target({self.target_id}, {self.kind})"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A phase of an alert that waits for a target."""

    row_id: int
    target_id: int
    attempts: int
    created_at: datetime
    alert: AlertIn
    camera_name: str
    n_open: int  # alerts of this camera and rule that go on now
    has_snapshot: bool


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended; `again_at` is None when there is none."""

    outcome: Outcome
    words: str
    took_ms: int
    again_at: datetime | None = None


class OutboundStore:
    """Reads and writes targets and their queues."""

    def __init__(self, database: Database, audit: AuditLog, clock: Callable[[], datetime]) -> None:
        self._db, self._audit, self._clock = database, audit, clock

    # ------------------------------------------------------------ targets

    async def targets(self) -> list[Target]:
        """All of them, with their secrets. Raises StorageError."""
        async with self._db.reading() as connection:
            rows = (await connection.execute(select(tb.outbound_targets).order_by(_T.id))).all()
        return [_target(row) for row in rows]

    async def get(self, target_id: int) -> Target:
        """One, with its secrets. Raises UnknownTarget, StorageError."""
        async with self._db.reading() as connection:
            return _target(await _row(connection, target_id))

    async def shown(self) -> list[TargetOut]:
        """All of them as people see them. Raises StorageError."""
        waiting = (
            select(_Q.target_id, func.count().label("n"), func.min(_Q.created_at).label("oldest"))
            .group_by(_Q.target_id)
            .subquery()
        )
        query = (
            select(tb.outbound_targets, waiting.c.n, waiting.c.oldest)
            .outerjoin(waiting, waiting.c.target_id == _T.id)
            .order_by(_T.name)
        )
        async with self._db.reading() as connection:
            return [_shown(row) for row in await connection.execute(query)]

    async def save(self, wanted: TargetIn, by: str, target_id: int | None = None) -> int:
        """Add a target, or change one. Raises UnknownTarget, BadTarget, StorageError."""
        options, secrets = _parted(wanted)
        values = {
            "name": wanted.name,
            "enabled": wanted.enabled,
            "wants": wanted.wants.model_dump(mode="json"),
            "options": options,
            "changed_at": self._clock(),
            "failing_since": None,
            "problem": "",
        }
        told = {"done": "target added" if target_id is None else "target changed", "kind": wanted.to.kind}
        entry = Entry(by, What.CONFIGURATION, wanted.name, told | {"enabled": wanted.enabled})
        try:
            async with self._db.writing() as write:
                if target_id is None:
                    if wanted.to.kind == "webhook" and not {"url", "key"} <= secrets.keys():
                        raise BadTarget("a webhook needs its url and its key")
                    fixed = {"kind": wanted.to.kind, "secrets": secrets, "made_by": by, "n_dropped": 0}
                    made = await write.connection.execute(
                        insert(tb.outbound_targets).values(**values, **fixed).returning(_T.id)
                    )
                    made_id = int(made.scalar_one())
                    await self._audit.append(write, entry)
                    return made_id
                known = _target(await _row(write.connection, target_id))
                if known.kind != wanted.to.kind:
                    raise BadTarget("the kind of a target does not change: make another")
                _check_secrets(wanted, options, secrets, known)
                kept = dict(known.secrets) | secrets
                where = update(tb.outbound_targets).where(_T.id == target_id)
                await write.connection.execute(where.values(**values, secrets=kept))
                await self._audit.append(write, entry)
                return target_id
        except IntegrityError as error:
            raise BadTarget("the name is taken") from error

    async def remove(self, target_id: int, by: str) -> None:
        """Forget a target, its queue and its log. Raises UnknownTarget, StorageError."""
        async with self._db.writing() as write:
            name = (await _row(write.connection, target_id)).name
            await write.connection.execute(delete(tb.outbound_targets).where(_T.id == target_id))
            entry = Entry(by, What.CONFIGURATION, name, {"done": "target removed"})
            await self._audit.append(write, entry)

    # ------------------------------------------------------------ the queue

    async def due(self, target_id: int, limit: int) -> list[Waiting]:
        """What waits and may be tried now, the longest due first. Raises StorageError."""
        now = self._clock()
        pictures = tb.media.select().where(tb.media.c.kind == MediaKind.SNAPSHOT.value).subquery()
        joined = (
            tb.outbound_queue.join(
                tb.alert_phases,
                (tb.alert_phases.c.alert_id == _Q.alert_id)
                & (tb.alert_phases.c.phase == _Q.phase)
                & (tb.alert_phases.c.revision == _Q.revision),
            )
            .join(tb.alerts, tb.alerts.c.alert_id == _Q.alert_id)
            .join(tb.cameras, tb.cameras.c.camera_id == tb.alerts.c.camera_id)
            .join(tb.outbound_targets, _T.id == _Q.target_id)
            .outerjoin(pictures, pictures.c.alert_id == _Q.alert_id)
        )
        query = (
            select(tb.outbound_queue, tb.alert_phases.c.body, tb.cameras.c.name, pictures.c.state)
            .select_from(joined)
            .where(_Q.target_id == target_id, _Q.due_at <= now)
            .where(
                or_(_T.kind != "email", pictures.c.state.is_not(None), _Q.created_at <= now - SNAPSHOT_WAIT)
            )
            .order_by(_Q.due_at, _Q.id)
            .limit(limit)
        )
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).all()
            counted: dict[tuple[str, str], int] = {}
            return [await _waiting(connection, row, counted) for row in rows]

    async def next_due(self, target_id: int) -> datetime | None:
        """When something is to be tried next. Raises StorageError."""
        query = select(func.min(_Q.due_at)).where(_Q.target_id == target_id)
        async with self._db.reading() as connection:
            due_at: datetime | None = (await connection.execute(query)).scalar_one()
        return due_at

    async def settle(self, item: Waiting, result: Result) -> None:
        """Note how a try ended: what is over leaves the queue. Raises StorageError."""
        async with self._db.writing() as write:
            if result.again_at is None:
                await write.connection.execute(delete(tb.outbound_queue).where(_Q.id == item.row_id))
            else:
                values = {"due_at": result.again_at, "attempts": item.attempts + 1}
                again = update(tb.outbound_queue).where(_Q.id == item.row_id).values(**values)
                await write.connection.execute(again)
            await self._log(write, item.target_id, item.alert, result)
            await self._mark(write, item.target_id, result)

    async def tested(self, target_id: int, result: Result) -> None:
        """Note how a test message fared. Raises StorageError."""
        async with self._db.writing() as write:
            await self._log(write, target_id, None, result)
            await self._mark(write, target_id, result)

    async def trim(self, target_id: int, most: int) -> int:
        """Let the oldest go where more than `most` wait; returns how many. Raises StorageError."""
        newest = select(_Q.id).where(_Q.target_id == target_id).order_by(_Q.id.desc()).offset(most).limit(1)
        async with self._db.reading() as connection:
            mark = (await connection.execute(newest)).scalar_one_or_none()
        if mark is None:
            return 0
        async with self._db.writing() as write:
            gone = await write.connection.execute(
                delete(tb.outbound_queue).where(_Q.target_id == target_id, _Q.id <= mark)
            )
            n = int(gone.rowcount)
            counted = update(tb.outbound_targets).where(_T.id == target_id)
            await write.connection.execute(counted.values(n_dropped=_T.n_dropped + n))
            words = f"{n} left out: more than {most} waited"
            await self._log(write, target_id, None, Result(Outcome.DROPPED, words, 0))
        return n

    async def log(self, target_id: int, limit: int) -> list[DeliveryOut]:
        """The newest lines first. Raises UnknownTarget, StorageError."""
        query = select(tb.outbound_log).where(_L.target_id == target_id).order_by(_L.id.desc()).limit(limit)
        async with self._db.reading() as connection:
            await _row(connection, target_id)
            rows = (await connection.execute(query)).mappings()
            return [DeliveryOut(**{name: row[name] for name in DeliveryOut.model_fields}) for row in rows]

    async def _log(self, write: Write, target_id: int, alert: AlertIn | None, result: Result) -> None:
        made = await write.connection.execute(
            insert(tb.outbound_log)
            .values(
                target_id=target_id,
                at=self._clock(),
                alert_id=alert.alert_id if alert else None,
                phase=alert.phase.value if alert else None,
                outcome=result.outcome.value,
                words=result.words[:500],
                took_ms=result.took_ms,
            )
            .returning(_L.id)
        )
        if made.scalar_one() % 50 == 0:
            old = (
                select(_L.id)
                .where(_L.target_id == target_id)
                .order_by(_L.id.desc())
                .offset(LOG_KEPT)
                .limit(1)
            )
            mark = (await write.connection.execute(old)).scalar_one_or_none()
            if mark is not None:
                await write.connection.execute(
                    delete(tb.outbound_log).where(_L.target_id == target_id, _L.id <= mark)
                )

    async def _mark(self, write: Write, target_id: int, result: Result) -> None:
        """A target fails from its first failure on until something is delivered."""
        where = update(tb.outbound_targets).where(_T.id == target_id)
        if result.outcome is Outcome.DELIVERED:
            await write.connection.execute(where.values(failing_since=None, problem=""))
        elif result.outcome is not Outcome.EXPIRED:
            since = func.coalesce(_T.failing_since, literal(self._clock(), tb.UtcDateTime()))
            await write.connection.execute(where.values(failing_since=since, problem=result.words[:500]))


async def enqueue(connection: AsyncConnection, phases: Sequence[AlertIn], now: datetime) -> None:
    """Queue these phases, new to the service, for every target that wants them; within the caller's write."""
    targets = (await connection.execute(select(_T.id, _T.kind, _T.wants).where(_T.enabled))).all()
    rows = [
        {
            "target_id": target.id,
            "alert_id": alert.alert_id,
            "phase": alert.phase.value,
            "revision": alert.revision,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        for target in targets
        for alert in phases
        if _wants(Filter.model_validate(target.wants), alert)
        and (target.kind != "email" or alert.phase is Phase.OPENED)
    ]
    if rows:
        await connection.execute(insert(tb.outbound_queue), rows)


def _wants(wants: Filter, alert: AlertIn) -> bool:
    return (
        (not wants.camera_ids or alert.camera_id in wants.camera_ids)
        and (not wants.rules or alert.rule in wants.rules)
        and SEVERITY_ORDER[alert.severity] >= SEVERITY_ORDER[wants.min_severity]
    )


async def _waiting(
    connection: AsyncConnection, row: Row[Any], counted: dict[tuple[str, str], int]
) -> Waiting:
    alert = AlertIn.model_validate_json(row.body)
    key = (alert.camera_id, alert.rule)
    if key not in counted:
        a = tb.alerts.c
        open_now = (a.camera_id == key[0]) & (a.rule == key[1]) & (a.phase != Phase.CLOSED.value)
        found = await connection.execute(select(func.count()).select_from(tb.alerts).where(open_now))
        counted[key] = int(found.scalar_one())
    return Waiting(
        row.id,
        row.target_id,
        row.attempts,
        row.created_at,
        alert,
        row.name,
        counted[key],
        row.state == MediaState.READY.value,
    )


async def _row(connection: AsyncConnection, target_id: int) -> Row[Any]:
    found = await connection.execute(select(tb.outbound_targets).where(_T.id == target_id))
    row = found.first()
    if row is None:
        raise UnknownTarget(target_id)
    return row


def _target(row: Row[Any]) -> Target:
    return Target(row.id, row.name, row.kind, row.enabled, row.options, row.secrets)


def _parted(wanted: TargetIn) -> tuple[dict[str, Any], dict[str, str]]:
    """What may be shown, and what may not; secrets that were not told are left out."""
    told = wanted.to.model_dump(mode="json", exclude={"kind", *_SECRET})
    given = {name: getattr(wanted.to, name, None) for name in _SECRET}
    return told, {
        name: value.get_secret_value() for name, value in given.items() if isinstance(value, SecretStr)
    }


def _check_secrets(
    wanted: TargetIn, options: Mapping[str, Any], secrets: Mapping[str, str], known: Target
) -> None:
    """A secret stays with the place it was given for. Raises BadTarget."""
    if wanted.to.kind == "webhook":
        if secrets.get("url", known.secrets["url"]) != known.secrets["url"] and "key" not in secrets:
            raise BadTarget("another url needs its key again")
        return
    place = ("host", "port", "username", "tls", "security")
    moved = any(options.get(name) != known.options.get(name) for name in place)
    if moved and known.secrets.get("password") and "password" not in secrets:
        raise BadTarget("another host, port, user name or security needs the password again")


def _shown(row: Row[Any]) -> TargetOut:
    target = _target(row)
    return TargetOut(
        target_id=row.id,
        name=row.name,
        kind=row.kind,
        enabled=row.enabled,
        wants=Filter.model_validate(row.wants),
        address=address_of(target),
        options=dict(row.options),
        has_secret=any(row.secrets.values()),
        n_waiting=row.n or 0,
        oldest_at=row.oldest,
        n_dropped=row.n_dropped,
        failing_since=row.failing_since,
        problem=row.problem,
    )


def address_of(target: Target) -> str:
    """Where a target is, for people: of a webhook no path, since it may be the secret."""
    if target.kind != "webhook":
        return f"{target.options['host']}:{target.options['port']}"
    parts = urlsplit(target.secrets["url"])
    return f"{parts.scheme}://{parts.netloc}" + ("/…" if parts.path not in ("", "/") or parts.query else "")
