"""Figures over alerts are those of the alerts, within what one may see, and come quickly from many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from support.alerts import alert_in
from support.api import Api

from api.db import tables as tb
from api.db.intake import Batch, fold
from api.db.stats import wilson

pytestmark = pytest.mark.anyio
MANY = 50_000


async def test_insights_count_what_happened(api: Api) -> None:
    """Alerts an hour, verdicts by rule and camera, seconds to the verdict that counts."""
    operator = await api.log_in()
    noon = datetime(2026, 3, 1, 11, 59, 59, 999_000, tzinfo=UTC)
    for number, (camera, at) in enumerate(
        [("gate", noon), ("gate", noon + timedelta(seconds=1)), ("gate", noon), ("lawn", noon)]
    ):
        await api.send(number, camera_id=camera, at=at)
    ids = [str(alert_in(number).alert_id) for number in range(4)]
    for alert_id, verdict in zip(ids, ("true", "true", "false"), strict=False):
        api.clock.pass_s(10)
        body = {"verdict": verdict} | ({"reason": "animal"} if verdict == "false" else {})
        assert (await operator.post(f"/alerts/{alert_id}/verdict", json=body)).is_success
    found = (await operator.get("/stats/insights", params={"days": 1})).json()
    assert found["n_alerts"] == 4
    assert [(one["hour"], one["n"]) for one in found["per_hour"]] == [
        ("2026-03-01T11:00:00Z", 3),
        ("2026-03-01T12:00:00Z", 1),
    ]
    gate, lawn = found["precision"]
    assert (gate["n_alerts"], gate["n_true"], gate["n_false"], gate["n_unclear"]) == (3, 2, 1, 0)
    assert gate["precision"] == pytest.approx(2 / 3)
    assert gate["ci95"] == pytest.approx(wilson(2, 3))
    assert (lawn["n_alerts"], lawn["precision"], lawn["ci95"]) == (1, None, None)
    assert found["to_verdict"] == {
        "n": 3,
        "median_s": pytest.approx(20, abs=0.01),
        "p90_s": pytest.approx(20, abs=0.01),
    }
    api.clock.pass_s(2 * 86_400)
    operator = await api.log_in()
    assert (await operator.get("/stats/insights", params={"days": 1})).json()["n_alerts"] == 0


def test_wilsons_interval() -> None:
    """The published limits: 81 of 263 (Newcombe, 1998, Stat. Med. 17, table I); none of 20; all stay within 0 and 1."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)


async def test_many_alerts_are_counted_by_the_database(api: Api) -> None:
    """With 50,000 alerts the figures are right, and the span is found by an index, not by reading all."""
    start = datetime(2026, 2, 27, tzinfo=UTC)
    batch = Batch(set(), {})
    fold(batch, alert_in(0), start)
    (row,) = batch.new.values()
    rows = [
        row
        | {
            "alert_id": UUID(int=number + 1),
            "camera_id": ("gate", "lawn")[number % 2],
            "opened_at": start + timedelta(seconds=3 * number),
            "arrival": number + 1,
            "change": number + 1,
        }
        for number in range(MANY)
    ]
    await api.send(0)
    await api.send(1, camera_id="gate")
    async with api.service.store.database.writing() as write:
        for first in range(0, MANY, 500):
            more = [
                one | {"arrival": one["arrival"] + 10, "change": one["change"] + 10}
                for one in rows[first : first + 500]
            ]
            await write.connection.execute(insert(tb.alerts), more)
    operator = await api.log_in()
    found = (await operator.get("/stats/insights", params={"days": 31})).json()
    assert found["n_alerts"] == MANY + 2
    assert sum(one["n_alerts"] for one in found["precision"]) == MANY + 2
    assert max(one["n"] for one in found["per_hour"]) <= 1202
    if api.service.store.database.kind == "sqlite":
        async with api.service.store.database.reading() as connection:
            plan = await connection.execute(
                text("EXPLAIN QUERY PLAN SELECT count(*) FROM alerts WHERE opened_at >= '2026-03-01 12:00'")
            )
            assert "ix_alerts_opened_at" in str(plan.all())


async def test_a_worker_is_known_by_its_pulse(api: Api) -> None:
    """Workers, their outboxes and refusals, the key's fingerprint; a worker without a pulse for 20 s is silent."""
    camera = {"camera_id": "lawn", "state": "online", "reason": "", "n_decoded": 1, "n_analysed": 1}
    camera |= {"n_dropped": 0, "coverage": 0.5, "n_people": 0}
    pulse = {
        "worker_id": "w1",
        "at": "2026-03-01T12:00:00Z",
        "n_outbox": 3,
        "n_refused": 1,
        "cameras": [camera],
    }
    assert (await api.worker.post("/heartbeat", json=pulse)).is_success
    viewer = await api.log_in("viewer")
    found = (await viewer.get("/stats/service")).json()
    (worker,) = found["workers"]
    assert (worker["worker_id"], worker["n_outbox"], worker["n_refused"]) == ("w1", 3, 1)
    assert not worker["silent"]
    assert worker["disk"] is None, "a worker that does not tell of it"
    assert len(found["signing_key"]) == 64
    assert found["outbound"] == {"n_targets": 0, "n_failing": 0, "n_waiting": 0}
    assert found["evidence_state"] == "ok"
    disk = {"free_bytes": 5, "total_bytes": 100, "full": True}
    await api.worker.post("/heartbeat", json=pulse | {"disk": disk})
    assert (await viewer.get("/stats/service")).json()["workers"][0]["disk"] == disk
    api.clock.pass_s(21)
    assert (await viewer.get("/stats/service")).json()["workers"][0]["silent"]
