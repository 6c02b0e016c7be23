"""The database held by somebody else for a while: nothing is lost, nothing twice, listeners stay, all is told. (API-08)"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support.alerts import alert_in
from support.api import Api

DEADLINE_S = 20.0  # 300 times 0.1 s is longer
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("more_settings", [{"busy_s": 0.1}])]


@asynccontextmanager
async def held(api: Api) -> AsyncIterator[None]:
    """Another process's write lock, as a back-up or a repair would hold it."""
    url = api.service.settings.database
    if url.get_backend_name() == "sqlite":
        with _held_file(str(url.database)):
            yield
        return
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT * FROM feed_head FOR UPDATE"))
            await connection.execute(text("SELECT * FROM cameras FOR UPDATE"))
            yield
    finally:
        await engine.dispose()


@contextmanager
def _held_file(path: str) -> Iterator[None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


async def test_alerts_outlive_a_lock(api: Api) -> None:
    """While it is held each POST is 503 with Retry-After; sent again, as a worker does, all are there once and in order."""
    reader = await api.log_in()
    await api.send(0)
    listener = api.app.state.feed.listen()
    waiting = list(range(1, 11))
    async with held(api):
        answers = await asyncio.gather(*(api.send(number) for number in waiting))
        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["retry-after"] for answer in answers)
        health = (await reader.get("/health")).json()
        assert health["status"] == "degraded"
        assert "the last write was refused" in " ".join(health["problems"])
        assert (await reader.get("/alerts")).status_code == 200, "reading goes on"
        await api.service.retention.step()
    for number in waiting:
        assert (await api.send(number)).status_code == 201
        assert (await api.send(number)).status_code == 200
    assert (await reader.get("/health")).json()["status"] == "ok"
    items = (await reader.get("/alerts")).json()["items"]
    assert [one["alert_id"] for one in items] == [str(alert_in(n).alert_id) for n in range(10, -1, -1)]
    heard = [json.loads(m.chunk.split(b"data: ")[1])["alert_id"] for m in _all(listener.queue) if m]
    assert heard == [str(alert_in(n).alert_id) for n in waiting], "a listener heard each once, in order"


async def test_nobody_waits_for_everybody(api: Api) -> None:
    """300 writes behind a held lock are all answered in about the time of one of them, not one after another."""
    reader = await api.log_in()
    state = {"camera_id": "lawn", "state": "online", "reason": "", "coverage": 1.0, "n_people": 0}
    state |= {"n_decoded": 1, "n_analysed": 1, "n_dropped": 0}
    pulse = {
        "worker_id": "w",
        "at": "2026-03-01T12:00:00Z",
        "n_outbox": 0,
        "n_refused": 0,
        "cameras": [state],
    }
    await api.send(0)

    async def beat() -> int:
        return (await api.worker.post("/heartbeat", json=pulse)).status_code

    async with held(api), asyncio.timeout(DEADLINE_S):
        codes = await asyncio.gather(*(beat() for _ in range(300)))
    assert set(codes) == {503}
    assert await beat() == 204
    assert (await reader.get("/health")).json()["status"] == "ok"


@pytest.mark.skipif("WATCHPOST_TEST_POSTGRES" in os.environ, reason="settings of SQLite")
async def test_sqlite_waits_for_a_lock_and_reads_past_it(api: Api) -> None:
    """WAL and the busy time are set on every connection."""
    async with api.service.store.database.reading() as connection:
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one() == 100


def _all(queue: asyncio.Queue[object]) -> list[object]:
    found = []
    while not queue.empty():
        found.append(queue.get_nowait())
    return found
