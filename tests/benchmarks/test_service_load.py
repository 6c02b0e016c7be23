"""Laws of the service's load: everything that is posted is stored, heard and listed, and the figures say on how much."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pydantic import SecretStr
from support.alerts import alert_in

from api.db.store import open_store
from api.settings import Settings
from benchmarks.service_load import Load, service_load
from detector.errors import ConfigError

SMALL = Load(connections=4, seconds=0.5, listeners=3, per_s=10, alerts=1000)


def test_a_small_load_is_measured_whole() -> None:
    """Each part has its figures; every listener hears every alert; every list has as many rows as it was asked for."""
    report = service_load(SMALL, None, threading.Event(), lambda *_: None)
    figures = {figure.name: figure for figure in report.figures}
    assert figures["api.posts"].value > 0
    assert figures["api.posts.one"].n > 0
    assert (figures["api.feed.missed"].value, figures["api.feed.missed"].n) == (0, 5 * 3)
    assert figures["api.feed.let_go"].value == 0
    spreads = ["posts", "feed", "list.first", "list.deep", "list.camera", "list.unjudged"]
    for name in spreads:
        p50, p99, most = (figures[f"api.{name}.{key}"].value for key in ("p50", "p99", "max"))
        assert 0 < p50 <= p99 <= most


def test_a_database_in_use_is_refused(tmp_path) -> None:
    """A load never writes into a database that holds alerts."""
    url = SecretStr(f"sqlite:///{tmp_path}/used.db")

    async def use() -> None:
        async with open_store(Settings(data_dir=tmp_path, database_url=url)) as store:
            await store.alerts.ingest(alert_in())

    asyncio.run(use())
    with pytest.raises(ConfigError, match="an empty database"):
        service_load(SMALL, url, threading.Event(), lambda *_: None)
