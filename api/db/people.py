"""Users, their sessions and the workers' tokens. Secrets come in hashed; none can be got back from here.

Whatever changes what a person may do ends their sessions in the same transaction, and with them open streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update

from api.db import tables as tb
from api.db.audit import AuditLog, Entry
from api.db.session import Database, Write
from api.schemas_audit import What
from api.schemas_people import PersonOut, Rights, TokenOut

PROVIDER = "login provider"  # who did it, in the audit; no user can be called so


class LastAdmin(Exception):
    """Nobody would be left who can administer."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in, unless disabled."""

    user_id: int
    name: str
    role: str
    password_hash: str
    must_change_password: bool
    cameras: frozenset[str] | None = None  # None: all
    disabled: bool = False

    def sees(self, camera_id: str) -> bool:
        """Whether anything of this camera may be shown to this person."""
        return self.cameras is None or camera_id in self.cameras


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that has not expired, and whose it is."""

    token_hash: str
    csrf: str
    user: User


class PeopleStore:
    """Reads and writes who may do something."""

    def __init__(self, database: Database, audit: AuditLog, clock: Callable[[], datetime]) -> None:
        self._db, self._audit, self._clock = database, audit, clock

    async def count(self) -> int:
        """How many users there are. Raises StorageError."""
        async with self._db.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(tb.users))).scalar_one())

    async def find(self, name: str) -> User | None:
        """The user of this name. Raises StorageError."""
        async with self._db.reading() as connection:
            found = await connection.execute(select(tb.users).where(tb.users.c.name == name))
            row = found.mappings().first()
        return None if row is None else _user(row)

    async def all(self) -> list[PersonOut]:
        """Everybody, by name. Raises StorageError."""
        async with self._db.reading() as connection:
            rows = (await connection.execute(select(tb.users).order_by(tb.users.c.name))).mappings().all()
        return [PersonOut(**{name: row[name] for name in PersonOut.model_fields}) for row in rows]

    async def add(self, name: str, rights: Rights, password_hash: str, must_change: bool, by: str) -> None:
        """Add a user; an IntegrityError of SQLAlchemy means that the name is taken. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(
                insert(tb.users).values(
                    name=name,
                    role=rights.role,
                    cameras=rights.cameras,
                    password_hash=password_hash,
                    must_change_password=must_change,
                    created_at=self._clock(),
                )
            )
            await self._audit.append(write, _told(by, "person added", name, rights, disabled=False))

    async def known(self, subject: str, name: str, role: str) -> User:
        """The user of a provider's subject, with the role it says now; the first time made, under a name that is free.

        What cameras they see is an administrator's word, and stays. Raises LastAdmin, StorageError.
        """
        user = await self._of(subject)
        if user is None:
            await self._add_known(subject, name, role)
            user = await self._of(subject)
        elif not user.disabled and user.role != role:
            cameras = None if role == "admin" or user.cameras is None else sorted(user.cameras)
            rights = Rights.model_validate({"role": role, "cameras": cameras})
            await self.change(user.name, rights, False, PROVIDER)
            user = await self._of(subject)
        assert user is not None
        return user

    async def _of(self, subject: str) -> User | None:
        async with self._db.reading() as connection:
            found = await connection.execute(select(tb.users).where(tb.users.c.subject == subject))
            row = found.mappings().first()
        return None if row is None else _user(row)

    async def _add_known(self, subject: str, name: str, role: str) -> None:
        """Never another's account: a taken name gets an ending of its own."""
        async with self._db.writing() as write:
            users = (await write.connection.execute(select(tb.users.c.name, tb.users.c.subject))).all()
            if any(one.subject == subject for one in users):  # another login of theirs was quicker
                return
            taken = {one.name for one in users}
            free = (
                name if name not in taken else f"{name}-{hashlib.sha256(subject.encode()).hexdigest()[:12]}"
            )
            values = {"name": free, "role": role, "subject": subject, "created_at": self._clock()}
            no_password = {"password_hash": "", "must_change_password": False}
            await write.connection.execute(insert(tb.users).values(**values, **no_password))
            rights = Rights.model_validate({"role": role})
            await self._audit.append(write, _told(PROVIDER, "person added", free, rights, disabled=False))

    async def change(self, name: str, rights: Rights, disabled: bool, by: str) -> bool:
        """What a person may do from now on; false for an unknown name. Raises LastAdmin, StorageError."""
        async with self._db.writing() as write:
            everybody = (await write.connection.execute(select(tb.users).with_for_update())).mappings().all()
            row = next((one for one in everybody if one["name"] == name), None)
            if row is None:
                return False
            others = [one for one in everybody if one["role"] == "admin" and one["name"] != name]
            if (disabled or rights.role != "admin") and all(one["disabled_at"] for one in others):
                raise LastAdmin("nobody would be left who can administer")
            values: dict[str, Any] = {"role": rights.role, "cameras": rights.cameras}
            values["disabled_at"] = (row["disabled_at"] or self._clock()) if disabled else None
            await write.connection.execute(
                update(tb.users).where(tb.users.c.id == row["id"]).values(**values)
            )
            await _end_sessions(write, row["id"])
            await self._audit.append(write, _told(by, "person changed", name, rights, disabled=disabled))
        return True

    async def set_password(self, user: User, password_hash: str, must_change: bool, by: str) -> None:
        """Store a new password and end every session of the user. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(
                update(tb.users)
                .where(tb.users.c.id == user.user_id)
                .values(password_hash=password_hash, must_change_password=must_change)
            )
            await _end_sessions(write, user.user_id)
            await self._audit.append(write, Entry(by, What.PASSWORD, user.name, {"one_time": must_change}))

    async def open_session(
        self, user: User, token_hash: str, csrf: str, expires_at: datetime, *, address: str
    ) -> None:
        """Store a session; those that have expired are dropped. Raises StorageError."""
        now = self._clock()
        async with self._db.writing() as write:
            await write.connection.execute(delete(tb.sessions).where(tb.sessions.c.expires_at <= now))
            await write.connection.execute(
                insert(tb.sessions).values(
                    token_hash=token_hash,
                    user_id=user.user_id,
                    csrf=csrf,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
            await self._audit.append(write, Entry(user.name, What.LOGIN, "", {"address": address}))

    async def session(self, token_hash: str) -> SessionRow | None:
        """The session of this token, unless it has expired. Raises StorageError."""
        query = (
            select(tb.sessions.c.csrf, tb.users)
            .join(tb.users, tb.sessions.c.user_id == tb.users.c.id)
            .where(
                tb.sessions.c.token_hash == token_hash,
                tb.sessions.c.expires_at > self._clock(),
                tb.users.c.disabled_at.is_(None),
            )
        )
        async with self._db.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else SessionRow(token_hash, row["csrf"], _user(row))

    async def close_session(self, session: SessionRow) -> None:
        """End a session. Raises StorageError."""
        ended = delete(tb.sessions).where(tb.sessions.c.token_hash == session.token_hash)
        async with self._db.writing() as write:
            await write.connection.execute(ended)
            await self._audit.append(write, Entry(session.user.name, What.LOGOUT, ""))

    async def tokens(self) -> list[TokenOut]:
        """The workers that have a token, by name. Raises StorageError."""
        query = select(tb.worker_tokens).order_by(tb.worker_tokens.c.name)
        async with self._db.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [TokenOut(name=row.name, created_at=row.created_at) for row in rows]

    async def set_token(self, name: str, token_hash: str, by: str) -> None:
        """Store a worker's token; an older one of the same name is replaced. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(delete(tb.worker_tokens).where(tb.worker_tokens.c.name == name))
            await write.connection.execute(
                insert(tb.worker_tokens).values(name=name, token_hash=token_hash, created_at=self._clock())
            )
            await self._audit.append(write, Entry(by, What.CONFIGURATION, name, {"done": "token made"}))

    async def end_token(self, name: str, by: str) -> bool:
        """A worker's token stops working; false when there was none. Raises StorageError."""
        async with self._db.writing() as write:
            ended = await write.connection.execute(
                delete(tb.worker_tokens).where(tb.worker_tokens.c.name == name)
            )
            if ended.rowcount == 0:
                return False
            await self._audit.append(write, Entry(by, What.CONFIGURATION, name, {"done": "token ended"}))
        return True

    async def worker_of(self, token_hash: str) -> str | None:
        """The name of the worker with this token. Raises StorageError."""
        query = select(tb.worker_tokens.c.name).where(tb.worker_tokens.c.token_hash == token_hash)
        async with self._db.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()


async def _end_sessions(write: Write, user_id: int) -> None:
    await write.connection.execute(delete(tb.sessions).where(tb.sessions.c.user_id == user_id))


def _user(row: RowMapping) -> User:
    return User(
        user_id=row["id"],
        name=row["name"],
        role=row["role"],
        password_hash=row["password_hash"],
        must_change_password=row["must_change_password"],
        cameras=None if row["cameras"] is None else frozenset(row["cameras"]),
        disabled=row["disabled_at"] is not None,
    )


def _told(by: str, done: str, name: str, rights: Rights, *, disabled: bool) -> Entry:
    details: dict[str, Any] = {"done": done, "role": rights.role, "disabled": disabled}
    cameras = "all" if rights.cameras is None else " ".join(sorted(rights.cameras))
    return Entry(by, What.CONFIGURATION, name, details | {"cameras": cameras})
