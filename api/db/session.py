"""The way to the database: one pool, one writer at a time, library errors mapped to `StorageError`.

Whoever writes holds the one write lock until the commit, and what changed is published before the lock is
let go: numbers are given, committed and published in one order, so a feed that resumes from a number misses
nothing. A SQLite file has some room of its own, so that alerts are stored, and evidence can be removed, on a
disk that others have filled.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.schemas import AlertOut, CameraOut
from detector.errors import ConfigError, StorageError

log = logging.getLogger(__name__)

_SLOW_WRITE_S = 2.0  # a write that takes longer is told as a problem
_OWN_BYTES, _OWN_PART = 4 * 1024 * 1024, 0.1  # of the disk: kept in the file, and in its log
_WAL_PAGES = 200  # 0.8 MB: on a small disk the log must fit into what evidence leaves free
_CLOSE_S = 5.0  # how long closing waits for what is still under way
_WRITES = "watchpost_writes"


@dataclass(frozen=True, slots=True)
class AlertNews:
    """An alert as it stands after change number `change`."""

    change: int
    alert: AlertOut


News = AlertNews | CameraOut
Publish = Callable[[Sequence[News]], None]


@dataclass(slots=True)
class Write:
    """One write transaction, and what to tell once it is committed."""

    connection: AsyncConnection
    news: list[News] = field(default_factory=list)


class Database:
    """Opens, migrates, reads and writes one database."""

    def __init__(self, url: URL, publish: Publish, busy_s: float) -> None:
        self.kind = url.get_backend_name()
        self._busy_s = busy_s  # how long a write waits for another's lock before it is refused
        self._url = url
        self._publish = publish
        self._lock = asyncio.Lock()
        self._write_since: float | None = None  # monotonic s
        self._refused = ""  # why the last write failed
        self._n_open = 0  # transactions under way
        self._idle = asyncio.Event()
        self._idle.set()
        try:
            self._engine = create_async_engine(url, **_engine_options(self.kind, busy_s))
        except ModuleNotFoundError as error:
            raise ConfigError(
                "the database's driver is not installed", where="WATCHPOST_DATABASE_URL", got=str(error)
            ) from error
        self._writer = self._engine.execution_options(**{_WRITES: True})
        if self.kind == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    async def migrate(self) -> None:
        """Bring the tables to this version's shape; raises StorageError."""
        async with self.writing() as write:
            await write.connection.run_sync(_upgrade)

    async def keep_room(self) -> None:
        """Write and delete, when little of the room is left: the pages stay the file's own. Raises StorageError."""
        if self.kind != "sqlite":
            return
        wanted = await asyncio.to_thread(_own_bytes, Path(str(self._url.database)))
        async with self.writing() as write:
            run = write.connection.exec_driver_sql
            n_free = (await run("PRAGMA freelist_count")).scalar_one()
            if n_free * (await run("PRAGMA page_size")).scalar_one() >= wanted / 2:
                return
            await run("CREATE TABLE IF NOT EXISTS room (filling BLOB)")
            await run("INSERT INTO room VALUES (zeroblob(?))", (wanted,))
        async with self.writing() as write:  # another one: what is freed in the same is never written
            await write.connection.exec_driver_sql("DROP TABLE room")

    async def close(self) -> None:
        """Close every connection once its transaction has ended: one closed under a task would hang the task."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._idle.wait()
        except TimeoutError:
            log.error("database closed while in use transactions=%d", self._n_open)
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; raises StorageError."""
        with self._under_way(), _mapped(self.kind):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Write]:
        """A write transaction, committed at the end of the block; raises StorageError.

        Nobody waits longer than for one lock that is held, however many wait for their turn.
        """
        async with self._turn():
            self._write_since = time.monotonic()
            try:
                with self._under_way(), _mapped(self.kind):
                    async with self._writer.begin() as connection:
                        write = Write(connection)
                        yield write
                self._refused = ""
                if write.news:
                    self._publish(write.news)
            except StorageError as error:
                self._refused = error.got
                raise
            finally:
                self._write_since = None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._busy_s + _SLOW_WRITE_S):
                await self._lock.acquire()
        except TimeoutError as error:
            raise StorageError("the database is busy", where=self.kind, got="writes queue up") from error
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._n_open += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._n_open -= 1
            if self._n_open == 0:
                self._idle.set()

    def problems(self) -> list[str]:
        """Why a write may not succeed now; empty when all is well."""
        since = self._write_since
        if self._refused:
            return [f"database: the last write was refused: {self._refused}"]
        if since is not None and time.monotonic() - since > _SLOW_WRITE_S:
            return [f"database: a write has been waiting for {time.monotonic() - since:.0f} s"]
        return []


@contextmanager
def _mapped(kind: str) -> Iterator[None]:
    """Turn the library's errors, whose text holds values, into StorageError with the driver's words only."""
    try:
        yield
    except IntegrityError:
        raise  # a broken law of the tables is a fault of ours, not of the disk
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        words = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
        log.error("database refused kind=%s error=%r", kind, words)
        raise StorageError("the database did not do it", where=kind, got=words) from error


def _own_bytes(file: Path) -> int:
    try:
        return int(min(_OWN_BYTES, shutil.disk_usage(file.parent).total * _OWN_PART))
    except OSError as error:
        raise StorageError("the disk of the database does not answer", got=error.strerror or "") from error


def _engine_options(kind: str, busy_s: float) -> dict[str, Any]:
    if kind == "sqlite":  # the driver's timeout is SQLite's busy_timeout
        return {"connect_args": {"timeout": busy_s, "isolation_level": None}}
    return {
        "pool_pre_ping": True,
        "connect_args": {"server_settings": {"lock_timeout": f"{int(busy_s * 1000)}"}},
    }


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers go on while one writes; FULL makes a commit outlive a power cut."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        f"wal_autocheckpoint={_WAL_PAGES}",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: upgrading a read lock later may fail without waiting."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
