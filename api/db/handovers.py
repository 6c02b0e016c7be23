"""Notes from one shift to the next. A note ends the claims of its writer; one person says that it was taken.

A person with a scope sees a note only if its writer could see no other cameras than that: words may name them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update

from api.db import tables as tb
from api.db.audit import AuditLog, Entry
from api.db.life import LifeStore
from api.db.people import User
from api.db.session import Database
from api.schemas_audit import What
from api.schemas_desk import HandoverOut

_LOOKED_AT = 200  # the newest notes, of which some may be shown
SHOWN = 20


class UnknownHandover(LookupError):
    """No note that this person may see has this number."""


class HandoverStore:
    """Reads and writes notes of shifts."""

    def __init__(
        self, database: Database, life: LifeStore, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._db, self._life, self._audit, self._clock = database, life, audit, clock

    async def add(self, user: User, note: str) -> HandoverOut:
        """Leave a note and end one's claims. Raises StorageError."""
        async with self._db.writing() as write:
            n_released = await self._life.hand_over(write, user.name, note)
            row = {
                "note": note,
                "cameras": None if user.cameras is None else sorted(user.cameras),
                "n_released": n_released,
                "by": user.name,
                "at": self._clock(),
            }
            told = await write.connection.execute(insert(tb.handovers).values(**row).returning(tb.handovers))
            stored = told.mappings().one()
            details = {"n_released": n_released}
            entry = Entry(user.name, What.HAND_OVER, f"handover {stored['id']}", details)
            await self._audit.append(write, entry)
        return _out(stored)

    async def newest(self, user: User) -> list[HandoverOut]:
        """The newest notes that this person may see. Raises StorageError."""
        query = select(tb.handovers).order_by(tb.handovers.c.id.desc()).limit(_LOOKED_AT)
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_out(row) for row in rows if _may_see(user, row)][:SHOWN]

    async def take(self, user: User, handover_id: int) -> HandoverOut:
        """Say that one has read a note; the first who did stays. Raises UnknownHandover, StorageError."""
        query = select(tb.handovers).where(tb.handovers.c.id == handover_id).with_for_update()
        async with self._db.writing() as write:
            row: Any = (await write.connection.execute(query)).mappings().first()
            if row is None or not _may_see(user, row):
                raise UnknownHandover(handover_id)
            if row["taken_by"] is None:
                row = dict(row) | {"taken_by": user.name, "taken_at": self._clock()}
                taken = update(tb.handovers).where(tb.handovers.c.id == handover_id)
                await write.connection.execute(
                    taken.values(taken_by=row["taken_by"], taken_at=row["taken_at"])
                )
                entry = Entry(user.name, What.TAKE_HAND_OVER, f"handover {handover_id}")
                await self._audit.append(write, entry)
        return _out(row)


def _may_see(user: User, row: RowMapping) -> bool:
    if user.cameras is None or row["by"] == user.name:
        return True
    return row["cameras"] is not None and user.cameras.issuperset(row["cameras"])


def _out(row: Any) -> HandoverOut:
    names = [name for name in HandoverOut.model_fields if name != "handover_id"]
    return HandoverOut(handover_id=row["id"], **{name: row[name] for name in names})
