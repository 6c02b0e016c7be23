"""The service in the test's own loop, on a temporary SQLite file.

With WATCHPOST_TEST_POSTGRES=postgresql://user@host:port/postgres the tests with a database run on PostgreSQL, each
on one of its own; those without one are left out, since they ran before.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from support.api import QUICK, Api, Clock, client_of

from api.app import create_app
from api.auth import create_worker_token
from api.settings import Settings

SERVER = os.environ.get("WATCHPOST_TEST_POSTGRES")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SERVER is None:
        return
    here = Path(__file__).parent
    left_out = [
        item
        for item in items
        if item.path.is_relative_to(here) and "database_url" not in getattr(item, "fixturenames", ())
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose; one test looks at the real cost."""
    monkeypatch.setattr("api.auth._HASHER", QUICK)


@pytest.fixture
def started_at() -> datetime:
    """When the service starts; a test says its own with `parametrize("started_at", ...)`."""
    return datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def clock(started_at: datetime) -> Clock:
    return Clock(now=started_at)


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Settings beside the folder and the database; a test says its own with `parametrize("more_settings", ...)`."""
    return {}


async def _new_database() -> SecretStr | None:
    """The address of a fresh database on the PostgreSQL server to test on; None is SQLite."""
    if SERVER is None:
        return None
    engine = create_async_engine(make_url(SERVER).set(drivername="postgresql+asyncpg"))
    name = f"test_{uuid4().hex}"
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql(
            f"CREATE DATABASE {name}"
        )
    await engine.dispose()
    return SecretStr(make_url(SERVER).set(database=name).render_as_string(hide_password=False))


@pytest.fixture
async def database_url(anyio_backend: str) -> SecretStr | None:
    return await _new_database()


@pytest.fixture
async def api(
    tmp_path: Path, clock: Clock, more_settings: dict[str, Any], database_url: SecretStr | None
) -> AsyncIterator[Api]:
    settings = Settings(**{"data_dir": tmp_path / "data", "database_url": database_url} | more_settings)
    app = create_app(settings, clock=clock, elapsed_s=clock.elapsed)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        token = await create_worker_token(app.state.service.store, "test-worker")
        worker = await stack.enter_async_context(client_of(app, headers={"Authorization": f"Bearer {token}"}))
        yield Api(app, clock, token, worker, stack)
