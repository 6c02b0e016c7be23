"""Settings and the database file: refusals, permissions, migrations that match the tables."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection
from support.alerts import alert_in
from support.api import Clock

from api.app import create_app
from api.db import tables as tables_module
from api.db.alerts import MediaRow
from api.db.session import Database
from api.db.store import Store, open_store
from api.db.tables import metadata
from api.schemas import MediaKind
from api.settings import Settings
from api.storage import MARKER
from detector.errors import ConfigError, StorageError

URL = "WATCHPOST_DATABASE_URL"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:S3cr3t@h/d",
        "S3cr3t",
        "postgresql+psycopg2://u:S3cr3t@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "",
    ],
)
def test_an_unknown_database_stops_the_start(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is unknown, or forgets, is a ConfigError that shows no password."""
    monkeypatch.setenv(URL, url)
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ConfigError) as caught:
        create_app(settings)
    assert "S3cr3t" not in str(caught.value)
    assert "S3cr3t" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "driver"),
    [("sqlite:////tmp/x.db", "sqlite+aiosqlite"), ("postgres://u@h/d", "postgresql+asyncpg")],
)
def test_a_known_database_gets_its_async_driver(
    url: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver is our choice; the address may be written in the usual way."""
    monkeypatch.setenv(URL, url)
    assert Settings().database.drivername == driver


def test_data_lies_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word, data goes where the desktop standard says."""
    monkeypatch.setenv("XDG_DATA_HOME", "/tmp/share")
    assert Settings().media_dir == Path("/tmp/share/watchpost/media")


@pytest.mark.anyio
async def test_folders_are_for_this_user_only(tmp_path: Path) -> None:
    """What is created can be read by nobody else; a place that cannot be created is a StorageError."""
    settings = Settings(data_dir=tmp_path / "a" / "b")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(settings.media_dir.stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Settings(data_dir=tmp_path / "file" / "x").make_folders()


@pytest.mark.anyio
async def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    """A migrated database has the tables of api/db/tables.py, and the safe settings of SQLite."""

    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with open_store(Settings(data_dir=tmp_path)) as store, store.database.reading() as connection:
        assert [d for d in await connection.run_sync(differences) if d[1].name != "alembic_version"] == []
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == wanted


@pytest.mark.anyio
async def test_the_start_is_quick_and_can_be_repeated(tmp_path: Path) -> None:
    """The first start with its migration takes well under 2 s, a second one finds its data."""
    began = time.perf_counter()
    for _ in range(2):
        app = create_app(Settings(data_dir=tmp_path))
        async with app.router.lifespan_context(app):
            pass
    assert time.perf_counter() - began < 4.0


@pytest.mark.anyio
async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """A task cancelled in the middle of a read ends, whatever the moment, although the database closes."""
    async with asyncio.timeout(20):
        for turns in range(0, 60, 3):
            async with open_store(Settings(data_dir=tmp_path)) as store:
                reading = asyncio.create_task(_read_on(store))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading


async def _read_on(store: Store) -> None:
    while True:
        await store.cameras.all()


@pytest.mark.anyio
async def test_an_upgrade_removes_nothing_at_once(tmp_path: Path, database_url: SecretStr | None) -> None:
    """Alerts of the version before, however old, age from the upgrade on."""
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    settings.make_folders()
    database = Database(settings.database, lambda _news: None, settings.busy_s)

    def back(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(tables_module.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")

    clock = Clock()
    app = create_app(settings, clock=clock, elapsed_s=clock.elapsed)
    async with app.router.lifespan_context(app):
        await app.state.service.store.alerts.ingest(alert_in(0))
        row = MediaRow(MediaKind.CLIP, "0" * 64, 4, None, None)
        await app.state.service.store.alerts.put_media(alert_in(0).alert_id, row)
    clip = settings.media_dir / str(alert_in(0).alert_id) / "clip.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"clip")
    async with database.writing() as write:
        await write.connection.run_sync(back)
    (settings.media_dir / MARKER).unlink()
    clock.pass_s(400 * 86_400)
    app = create_app(settings, clock=clock, elapsed_s=clock.elapsed)
    async with app.router.lifespan_context(app):
        retention = app.state.service.retention
        for wait_s, there in ((0, True), (30 * 86_400, True), (1, False)):
            clock.pass_s(wait_s)
            await retention.step()
            assert clip.exists() == there
    await database.close()
