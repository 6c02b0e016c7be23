"""Users, their sessions and the workers' tokens. Secrets come in hashed; none can be got back from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from api.db import tables as tb
from api.db.session import Database


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in."""

    user_id: int
    name: str
    role: str
    password_hash: str
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that has not expired, and whose it is."""

    token_hash: str
    csrf: str
    user: User


class PeopleStore:
    """Reads and writes who may do something."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._clock = clock

    async def count(self) -> int:
        """How many users there are. Raises StorageError."""
        async with self._db.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(tb.users))).scalar_one())

    async def find(self, name: str) -> User | None:
        """The user of this name. Raises StorageError."""
        async with self._db.reading() as connection:
            row = (await connection.execute(select(tb.users).where(tb.users.c.name == name))).first()
        if row is None:
            return None
        return User(row.id, row.name, row.role, row.password_hash, row.must_change_password)

    async def add(self, name: str, role: str, password_hash: str, must_change: bool) -> None:
        """Add a user; an IntegrityError of SQLAlchemy means that the name is taken. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(
                insert(tb.users).values(
                    name=name,
                    role=role,
                    password_hash=password_hash,
                    must_change_password=must_change,
                    created_at=self._clock(),
                )
            )

    async def set_password(self, user_id: int, password_hash: str, must_change: bool) -> None:
        """Store a new password and end every session of the user. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(
                update(tb.users)
                .where(tb.users.c.id == user_id)
                .values(password_hash=password_hash, must_change_password=must_change)
            )
            await write.connection.execute(delete(tb.sessions).where(tb.sessions.c.user_id == user_id))

    async def open_session(self, user_id: int, token_hash: str, csrf: str, expires_at: datetime) -> None:
        """Store a session; those that have expired are dropped. Raises StorageError."""
        now = self._clock()
        async with self._db.writing() as write:
            await write.connection.execute(delete(tb.sessions).where(tb.sessions.c.expires_at <= now))
            await write.connection.execute(
                insert(tb.sessions).values(
                    token_hash=token_hash, user_id=user_id, csrf=csrf, created_at=now, expires_at=expires_at
                )
            )

    async def session(self, token_hash: str) -> SessionRow | None:
        """The session of this token, unless it has expired. Raises StorageError."""
        query = (
            select(tb.sessions.c.csrf, tb.users)
            .join(tb.users, tb.sessions.c.user_id == tb.users.c.id)
            .where(tb.sessions.c.token_hash == token_hash, tb.sessions.c.expires_at > self._clock())
        )
        async with self._db.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        user = User(row.id, row.name, row.role, row.password_hash, row.must_change_password)
        return SessionRow(token_hash, row.csrf, user)

    async def close_session(self, token_hash: str) -> None:
        """End a session. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(delete(tb.sessions).where(tb.sessions.c.token_hash == token_hash))

    async def set_token(self, name: str, token_hash: str) -> None:
        """Store a worker's token; an older one of the same name is replaced. Raises StorageError."""
        async with self._db.writing() as write:
            await write.connection.execute(delete(tb.worker_tokens).where(tb.worker_tokens.c.name == name))
            await write.connection.execute(
                insert(tb.worker_tokens).values(name=name, token_hash=token_hash, created_at=self._clock())
            )

    async def worker_of(self, token_hash: str) -> str | None:
        """The name of the worker with this token. Raises StorageError."""
        query = select(tb.worker_tokens.c.name).where(tb.worker_tokens.c.token_hash == token_hash)
        async with self._db.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()
