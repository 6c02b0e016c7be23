"""Cases: named collections of alerts. An alert in a case is held, and stays so until it is in none and somebody releases it.

A person with a scope sees a case only if they may see every alert in it, and an empty one only if it is their own: its
words may name what they may not see.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from api.db import tables as tb
from api.db.alerts import AlertStore
from api.db.audit import AuditLog, Entry
from api.db.life import LifeStore
from api.db.people import User
from api.db.session import Database, Write
from api.schemas_audit import What
from api.schemas_cases import CaseDetail, CaseIn, CaseOut

SHOWN = 500  # cases in the list, newest first
MAX_ALERTS = 200  # in one case


class UnknownCase(LookupError):
    """No case that this person may see has this number."""


class NameTaken(Exception):
    """Another case has this name."""


class CaseFull(Exception):
    """No more alerts fit into a case."""


class CaseStore:
    """Reads and writes cases."""

    def __init__(
        self,
        database: Database,
        alerts: AlertStore,
        life: LifeStore,
        audit: AuditLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._db, self._alerts, self._life, self._audit, self._clock = database, alerts, life, audit, clock

    async def all(self, user: User) -> list[CaseOut]:
        """The newest cases that this person may see. Raises StorageError."""
        query = _visible(user).order_by(tb.cases.c.id.desc()).limit(SHOWN)
        async with self._db.reading() as connection:
            return [_out(row) for row in (await connection.execute(query)).mappings()]

    async def get(self, user: User, case_id: int) -> CaseDetail:
        """A case with its alerts. Raises UnknownCase, StorageError."""
        async with self._db.reading() as connection:
            row = (
                (await connection.execute(_visible(user).where(tb.cases.c.id == case_id))).mappings().first()
            )
        if row is None:
            raise UnknownCase(case_id)
        return CaseDetail(**dict(_out(row)), alerts=await self._alerts.of_case(case_id))

    async def open(self, user: User, wish: CaseIn) -> int:
        """A new case; its number. Raises NameTaken, StorageError."""
        row = {"name": wish.name, "note": wish.note, "by": user.name, "at": self._clock()}
        try:
            async with self._db.writing() as write:
                told = await write.connection.execute(insert(tb.cases).values(**row).returning(tb.cases.c.id))
                case_id = int(told.scalar_one())
                await self._tell(write, user, case_id, "opened", name=wish.name)
        except IntegrityError as error:
            raise NameTaken(wish.name) from error
        return case_id

    async def change(self, user: User, case_id: int, wish: CaseIn) -> None:
        """Another name or note. Raises UnknownCase, NameTaken, StorageError."""
        changed = update(tb.cases).where(tb.cases.c.id == case_id).values(name=wish.name, note=wish.note)
        try:
            async with self._db.writing() as write:
                await _must_see(write, user, case_id)
                await write.connection.execute(changed)
                await self._tell(write, user, case_id, "changed", name=wish.name)
        except IntegrityError as error:
            raise NameTaken(wish.name) from error

    async def put(self, user: User, case_id: int, alert_id: UUID) -> None:
        """Put an alert into a case, which holds it. Raises UnknownCase, UnknownAlert, CaseFull, StorageError."""
        async with self._db.writing() as write:
            row = await _must_see(write, user, case_id)
            await self._life.hold_within(write, alert_id, user.name, held=True)
            known = select(tb.case_alerts).where(*_is(case_id, alert_id))
            if (await write.connection.execute(known)).first() is not None:
                return
            if row["n_alerts"] >= MAX_ALERTS:
                raise CaseFull(f"a case holds {MAX_ALERTS} alerts at most")
            values = {"case_id": case_id, "alert_id": alert_id, "by": user.name, "at": self._clock()}
            await write.connection.execute(insert(tb.case_alerts).values(**values))
            await self._tell(write, user, case_id, "alert added", alert=str(alert_id))

    async def take_out(self, user: User, case_id: int, alert_id: UUID) -> None:
        """Take an alert out of a case; it stays held. Raises UnknownCase, StorageError."""
        async with self._db.writing() as write:
            await _must_see(write, user, case_id)
            gone = await write.connection.execute(delete(tb.case_alerts).where(*_is(case_id, alert_id)))
            if gone.rowcount:
                await self._tell(write, user, case_id, "alert taken out", alert=str(alert_id))

    async def _tell(self, write: Write, user: User, case_id: int, done: str, **details: str) -> None:
        told: dict[str, Any] = {"done": done} | details
        await self._audit.append(write, Entry(user.name, What.CASE, f"case {case_id}", told))


def _is(case_id: int, alert_id: UUID) -> tuple[Any, Any]:
    return tb.case_alerts.c.case_id == case_id, tb.case_alerts.c.alert_id == alert_id


def _visible(user: User) -> Select[Any]:
    """The cases that this person may see, with how many alerts are in each."""
    inside = select(func.count()).where(tb.case_alerts.c.case_id == tb.cases.c.id).scalar_subquery()
    query = select(tb.cases, inside.label("n_alerts"))
    if user.cameras is None:
        return query
    mine, any_alert = tb.cases.c.by == user.name, tb.case_alerts.c.case_id == tb.cases.c.id
    hidden = exists().where(
        any_alert,
        tb.case_alerts.c.alert_id == tb.alerts.c.alert_id,
        tb.alerts.c.camera_id.not_in(sorted(user.cameras)),
    )
    return query.where(~hidden, or_(mine, exists().where(any_alert)))


async def _must_see(write: Write, user: User, case_id: int) -> RowMapping:
    found = await write.connection.execute(_visible(user).where(tb.cases.c.id == case_id))
    row: RowMapping | None = found.mappings().first()
    if row is None:
        raise UnknownCase(case_id)
    return row


def _out(row: RowMapping) -> CaseOut:
    shown = ("name", "note", "by", "at", "n_alerts")
    return CaseOut(case_id=row["id"], **{name: row[name] for name in shown})
