"""Load on a real service of its own, on loopback: posts a second, seconds to each listener, pages of a long list.

Three parts, each on an empty database and a fresh process: (1) alerts posted on many connections as fast as they
are answered, and the same on one connection, where each answer waits for a commit of its own; every answer is
durable (SQLite: synchronous FULL). (2) A feed with many listeners of one person, alerts posted at an even rate;
what is told is the time from the post to the listener, over all pairs of both. (3) Lists of a table with very many alerts.

The client runs on the same cores as the service: a service with cores of its own does better.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy import insert, update

from api.auth import create_user
from api.db import tables as tb
from api.db.cameras import ensure_cameras
from api.db.cursor import encode
from api.db.intake import Batch, fold
from api.db.store import open_store
from api.schemas import AlertIn, Provenance, SeriesIn, Stages
from api.settings import Settings
from benchmarks.children import DrillError, House
from benchmarks.drills import Progress
from benchmarks.http_load import Connection, Posted, volley
from benchmarks.report import Figure, Report
from detector.errors import ConfigError
from detector.types import Phase, Severity

_POST, _FEED, _LIST = "/api/v1/alerts", "/api/v1/feed", "/api/v1/alerts"
_READY_S = 60.0
_PASSWORD = "seven lazy cranes over the harbour"  # noqa: S105  # of a service that lives for a minute
_N_TIMED = 30  # times each list is read
_ROWS_AT_ONCE = 20_000
_N_CAMERAS = 50


@dataclass(frozen=True, slots=True)
class Load:
    """How much of everything."""

    connections: int = 64
    seconds: float = 10.0
    listeners: int = 1000
    per_s: float = 2.0  # alerts told to the listeners
    alerts: int = 1_000_000  # in the list


def service_load(
    load: Load, database_url: SecretStr | None, stop: threading.Event, progress: Progress
) -> Report:
    """Measure. `database_url` names an empty database (None: SQLite). Raises DrillError, ConfigError."""
    _allow_files(load.listeners + load.connections + 64)
    with TemporaryDirectory(prefix="watchpost-load-") as folder, House(
        Path(folder) / "house", stop, database_url=database_url
    ) as house:  # fmt: skip
        kind = "PostgreSQL" if database_url else "SQLite"
        asyncio.run(_must_be_empty(house.settings))
        house.service.start()
        house.wait("service", lambda: _answers(house.port), _READY_S, house.service)
        figures = asyncio.run(_posts(house, load, kind, progress))
        figures += asyncio.run(_listeners(house, load, kind, progress))
        house.service.stop()
        asyncio.run(_fill(house.settings, load.alerts, progress))
        house.service.start()
        house.wait("service", lambda: _answers(house.port), _READY_S, house.service)
        figures += asyncio.run(_lists(house, load, kind, progress))
    return Report.of(figures)


async def _posts(house: House, load: Load, kind: str, progress: Progress) -> list[Figure]:
    headers, bodies = {"Authorization": f"Bearer {house.token}"}, _bodies()
    progress("posts", 0, 3)
    await volley(house.port, headers, _POST, bodies, load.connections, 1.0)  # warm
    many = await volley(house.port, headers, _POST, bodies, load.connections, load.seconds)
    progress("posts", 2, 3)
    one = await volley(house.port, headers, _POST, bodies, 1, load.seconds / 2)
    progress("posts", 3, 3)
    data = f"{kind}, alerts of {len(next(bodies)):,} bytes"
    split = f"{load.connections} connections"
    return [
        _figure("api.posts", many.per_s, "1/s", data, split, many),
        *_spread("api.posts", many.took_s, data, split),
        _figure("api.posts.one", one.per_s, "1/s", data, "1 connection, a commit each", one),
    ]


async def _listeners(house: House, load: Load, kind: str, progress: Progress) -> list[Figure]:
    """Alerts at an even rate while many listen; every pair of alert and listener is one latency."""
    cookie = await _log_in(house)
    posted: dict[str, float] = {}
    took_s: list[float] = []
    n_posted = max(1, round(load.per_s * load.seconds))

    def heard(alert_id: str, at_s: float) -> None:
        took_s.append(at_s - posted[alert_id])

    async def listen(connection: Connection) -> None:
        async with connection:
            await connection.listen(_FEED, heard)

    open_ones = [Connection(house.port, {"Cookie": cookie}) for _ in range(load.listeners)]
    tasks = [asyncio.create_task(listen(one)) for one in open_ones]
    await _until_open(house, load.listeners)
    bodies = _bodies()
    async with Connection(house.port, {"Authorization": f"Bearer {house.token}"}) as poster:
        began = time.monotonic()
        for number in range(n_posted):
            await asyncio.sleep(max(0.0, began + number / load.per_s - time.monotonic()))
            body = next(bodies)
            posted[json.loads(body)["alert_id"]] = time.monotonic()
            await poster.ask("POST", _POST, body)
            progress("listeners", number + 1, n_posted)
    wanted = n_posted * load.listeners
    deadline = time.monotonic() + 30
    while len(took_s) < wanted and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [one for one in ended if one is None or not isinstance(one, asyncio.CancelledError)]
    data, split = f"{kind}, {load.listeners:,} listeners", f"{load.per_s:g} alerts a second"
    return [
        *_spread("api.feed", took_s, data, split),
        Figure(name="api.feed.missed", value=wanted - len(took_s), unit="", data=data, split=split, n=wanted),
        Figure(name="api.feed.let_go", value=len(broken), unit="", data=data, split=split, n=load.listeners),
    ]


async def _lists(house: House, load: Load, kind: str, progress: Progress) -> list[Figure]:
    """The first page, one from the middle, and filtered ones, each read many times."""
    data = f"{kind}, {load.alerts:,} alerts"
    places = {
        "first": "?limit=50",
        "deep": f"?limit=50&cursor={encode(load.alerts // 2)}",
        "camera": f"?limit=50&camera_id={_camera(7)}",
        "unjudged": "?limit=50&verdict=none&severity=high",
    }
    figures = []
    async with Connection(house.port, {"Cookie": await _log_in(house)}) as connection:
        for n_done, (name, query) in enumerate(places.items(), start=1):
            took_s = []
            for _ in range(_N_TIMED):
                asked = time.monotonic()
                status, answer = await connection.ask("GET", _LIST + query)
                took_s.append(time.monotonic() - asked)
                if status != 200:
                    raise DrillError("a list was not given", where=query, got=answer[-300:].decode("latin-1"))
            figures += _spread(f"api.list.{name}", took_s, data, "50 rows")
            progress("lists", n_done, len(places))
    return figures


# ---------------------------------------------------------------- what is sent


def _alert(alert_id: UUID, camera_id: str, at: datetime, severity: Severity = Severity.MEDIUM) -> AlertIn:
    """An alert as a gathering of 20 s opens: three series of a point each half second."""
    t = [number / 2 for number in range(40)]
    names = (("people", 4.0), ("spread", 2.5), ("speed", 0.5))
    return AlertIn(
        alert_id=alert_id, phase=Phase.OPENED, revision=0, camera_id=camera_id, rule="gathering", zone="square",
        t=20.0, at=at, started_t=0.0, started_at=at - timedelta(seconds=20), severity=severity, score=0.8,
        track_ids=[1, 2, 3, 4, 5], facts={"n_people": 5, "dwell_s": 20.5}, reason="5 people close together for 20 s",
        series=[SeriesIn(name=name, unit="", threshold=limit, t=t, v=[limit + 0.25] * 40) for name, limit in names],
        box=(10.0, 20.0, 110.0, 220.0),
        provenance=Provenance(
            run_id=alert_id, network="yolov8n", model_sha256="a" * 64, provider="cpu", rule_version=1,
            params={"min_people": 4}, config_hash="b" * 64, software="watchpost",
        ),
        stages=Stages(captured_at=at, judged_at=at, stored_at=at),
    )  # fmt: skip


def _bodies() -> Iterator[bytes]:
    """Alerts without end, each of its own; the text is made once, since making it costs more than sending it."""
    template = _alert(UUID(int=0), "camera-0", datetime.now(UTC)).model_dump_json()
    for number in itertools.count():
        alert = template.replace(str(UUID(int=0)), str(uuid4()), 1)
        yield alert.replace('"camera-0"', f'"{_camera(number)}"', 1).encode()


def _camera(number: int) -> str:
    return f"camera-{number % _N_CAMERAS}"


# ---------------------------------------------------------------- the service and its table


def _answers(port: int) -> bool:
    try:
        return asyncio.run(_health(port)) == 200
    except OSError:
        return False


async def _health(port: int) -> int:
    async with Connection(port, {}) as connection:
        return (await connection.ask("GET", "/api/v1/health"))[0]


async def _log_in(house: House) -> str:
    """The cookie of a viewer."""
    async with Connection(house.port, {}) as connection:
        who = json.dumps({"name": "load", "password": _PASSWORD}).encode()
        status, answer = await connection.ask("POST", "/api/v1/session", who)
    if status != 200:
        raise DrillError("nobody can log in", got=answer[-300:].decode("latin-1"))
    told = answer.partition(b"watchpost_session=")[2]
    return "watchpost_session=" + told.partition(b";")[0].decode()


async def _must_be_empty(settings: Settings) -> None:
    async with open_store(settings) as store:
        if await store.alerts.head():
            raise ConfigError("a load needs an empty database of its own", where="--database")
        await create_user(store, "load", _PASSWORD, "viewer")


async def _fill(settings: Settings, n: int, progress: Progress) -> None:
    """Rows as they stand after years: of many cameras, some severe, none judged."""
    now, one = datetime.now(UTC), Batch(stored=set(), known={})
    fold(one, _alert(uuid4(), _camera(0), now), now)
    (like,) = one.new.values()
    async with open_store(settings) as store:
        last = await store.alerts.head()
        for done in range(0, n, _ROWS_AT_ONCE):
            rows = []
            for number in range(done, min(done + _ROWS_AT_ONCE, n)):
                last, at = last + 1, now - timedelta(minutes=n - number)
                told = Severity.HIGH if number % 20 == 0 else Severity.MEDIUM
                times = dict.fromkeys(("started_at", "opened_at", "at", "received_at", "updated_at"), at)
                ids = {"alert_id": uuid4(), "camera_id": _camera(number), "arrival": last, "change": last}
                rows.append(like | times | ids | {"severity": told.value})
            async with store.database.writing() as write:
                await ensure_cameras(write.connection, {row["camera_id"] for row in rows})
                await write.connection.execute(insert(tb.alerts), rows)
                await write.connection.execute(update(tb.feed_head).values(change=last))
            progress("filling", done + len(rows), n)


async def _until_open(house: House, n: int) -> None:
    """Wait until the service counts so many listeners."""
    deadline = time.monotonic() + _READY_S
    async with Connection(house.port, {"Authorization": f"Bearer {house.token}"}) as connection:
        while True:
            _, page = await connection.ask("GET", "/metrics")
            if f"watchpost_api_feed_listeners {n:.1f}".encode() in page:
                return
            if time.monotonic() > deadline:
                raise DrillError("not all listeners are heard", wanted=f"{n} open streams")
            await asyncio.sleep(0.2)


def _allow_files(n: int) -> None:
    """Every connection is a file, here and in the service, which inherits the limit. Raises ConfigError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= n:
        return
    if hard != resource.RLIM_INFINITY and hard < n:
        raise ConfigError("too few open files allowed", where="ulimit -n", wanted=f"{n}", got=f"{hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


# ---------------------------------------------------------------- figures


def _figure(name: str, value: float, unit: str, data: str, split: str, posted: Posted) -> Figure:
    return Figure(name=name, value=value, unit=unit, data=data, split=split, n=len(posted.took_s))


def _spread(name: str, took_s: list[float], data: str, split: str) -> list[Figure]:
    """Median, 99th percentile and the most of what things took."""
    ordered = sorted(took_s)
    n = len(ordered)
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return [
        Figure(
            name=f"{name}.{key}",
            value=ordered[max(0, math.ceil(share * n) - 1)] * 1000 if ordered else None,
            unit="ms", data=data, split=split, n=n,
        )
        for key, share in shares.items()
    ]  # fmt: skip
