"""A restart of PostgreSQL costs answers, never alerts. With a server of the test's own, since it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.alerts import alert_in
from support.api import Clock, client_of
from support.postgres import Cluster, cluster

from api.app import create_app
from api.auth import create_worker_token
from api.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[Cluster]:
    with cluster() as own:
        yield own


async def test_a_restart_of_postgresql_is_survived(tmp_path: Path, server: Cluster) -> None:
    """While PostgreSQL is away an alert is answered 503 and not stored; once it is back the same service goes on."""
    url = await asyncio.to_thread(server.start)
    app = create_app(Settings(data_dir=tmp_path, database_url=SecretStr(url)), clock=Clock())

    async with app.router.lifespan_context(app):
        token = await create_worker_token(app.state.service.store, "worker")
        async with client_of(app, headers={"Authorization": f"Bearer {token}"}) as worker:

            async def send(number: int) -> int:
                body = alert_in(number).model_dump_json()
                headers = {"Content-Type": "application/json"}
                return (await worker.post("/alerts", content=body, headers=headers)).status_code

            assert await send(0) == 201
            assert set(await asyncio.gather(*(send(n) for n in range(1, 6)))) == {201}

            await asyncio.to_thread(server.stop)
            assert set(await asyncio.gather(*(send(n) for n in range(6, 12)))) == {503}
            health = (await worker.get("/health")).json()
            assert health["status"] == "degraded"

            await asyncio.to_thread(server.start)
            assert set(await asyncio.gather(*(send(n) for n in range(12)))) <= {200, 201}
            assert (await worker.get("/health")).json()["status"] == "ok"
            page = await app.state.service.store.alerts.changes_after(0, 100)
            assert len({news.alert.alert_id for news in page}) == len(page) == 12
