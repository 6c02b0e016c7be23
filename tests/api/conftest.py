"""The service in the test's own loop, on a temporary SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.api import QUICK, Api, Clock, client_of

from api.app import create_app
from api.auth import create_worker_token
from api.settings import Settings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose; one test looks at the real cost."""
    monkeypatch.setattr("api.auth._HASHER", QUICK)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(tmp_path: Path, clock: Clock, anyio_backend: str) -> AsyncIterator[Api]:
    app = create_app(Settings(data_dir=tmp_path / "data"), clock=clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        token = await create_worker_token(app.state.service.store, "test-worker")
        worker = await stack.enter_async_context(client_of(app, headers={"Authorization": f"Bearer {token}"}))
        yield Api(app, clock, token, worker, stack)
