"""For which roles people are blurred, and who has revealed what: until the end of that session, with the reason in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, insert, select, update

from api.db import tables as tb
from api.db.audit import AuditLog, Entry
from api.db.people import SessionRow
from api.db.session import Database
from api.schemas_audit import What


class PrivacyStore:
    """Reads and writes who sees people clear."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._db, self._audit = database, audit

    async def blurred(self) -> list[str]:
        """The roles for which people are blurred. Raises StorageError."""
        async with self._db.reading() as connection:
            return list((await connection.execute(select(tb.privacy.c.blurred))).scalar_one())

    async def choose(self, roles: Sequence[str], by: str) -> None:
        """From now on people are blurred for these roles; what was revealed is so no more. Raises StorageError."""
        chosen = sorted(set(roles))
        async with self._db.writing() as write:
            await write.connection.execute(update(tb.privacy).values(blurred=chosen))
            await write.connection.execute(delete(tb.reveals))
            told: dict[str, Any] = {"done": "people blurred for roles", "roles": " ".join(chosen)}
            await self._audit.append(write, Entry(by, What.CONFIGURATION, "privacy", told))

    async def is_blurred(self, session: SessionRow, alert_id: UUID | None) -> bool:
        """Whether this person is shown an alert blurred; None: a camera's picture, never revealed. Raises StorageError."""
        shown = select(
            tb.privacy.c.blurred,
            exists().where(tb.reveals.c.session == session.token_hash, tb.reveals.c.alert_id == alert_id),
        )
        async with self._db.reading() as connection:
            roles, revealed = (await connection.execute(shown)).one()
        return session.user.role in roles and not (alert_id is not None and revealed)

    async def reveal(self, session: SessionRow, alert_id: UUID, reason: str) -> None:
        """Show an alert clear to this person until the session ends; each time is told. Raises StorageError."""
        mine = {"session": session.token_hash, "alert_id": alert_id}
        async with self._db.writing() as write:
            known = select(tb.reveals).where(*(tb.reveals.c[name] == value for name, value in mine.items()))
            if (await write.connection.execute(known)).first() is None:
                await write.connection.execute(insert(tb.reveals).values(**mine))
            told = Entry(session.user.name, What.REVEAL, str(alert_id), {"reason": reason})
            await self._audit.append(write, told)
