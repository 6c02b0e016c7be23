"""Alerts: stored once, newest phase shown, history and verdicts kept, filters right."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from typing import Any

import pytest
from support.alerts import alert_in
from support.api import Api

from detector.types import Phase, Severity

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}


async def test_a_phase_is_stored_once(api: Api) -> None:
    """The first POST of a phase is 201, every repeat is 200 and adds nothing."""
    first, again = await api.send(), await api.send()
    assert (first.status_code, first.json()["stored"]) == (201, True)
    assert (again.status_code, again.json()["stored"]) == (200, False)
    reader = await api.log_in()
    detail = (await reader.get(f"/alerts/{alert_in().alert_id}")).json()
    assert [line["phase"] for line in detail["history"]] == ["opened"]


async def test_a_late_older_phase_changes_only_what_it_knows_better(api: Api) -> None:
    """CLOSED before OPENED still shows CLOSED, with the opening time of OPENED."""
    await api.send(phase=Phase.CLOSED, revision=2, severity=Severity.HIGH)
    reader = await api.log_in()
    path = f"/alerts/{alert_in().alert_id}"
    assert (await reader.get(path)).json()["opened_at"] == "2026-03-01T12:00:20Z"
    await api.send(phase=Phase.OPENED, revision=0)
    await api.send(phase=Phase.UPDATED, revision=1)
    detail = (await reader.get(path)).json()
    assert (detail["phase"], detail["revision"], detail["severity"]) == ("closed", 2, "high")
    assert (detail["opened_at"], detail["opened_t"], detail["t"]) == ("2026-03-01T12:00:00Z", 20.0, 40.0)
    assert [line["revision"] for line in detail["history"]] == [0, 1, 2]


async def test_an_alert_of_an_unknown_camera_makes_the_camera(api: Api) -> None:
    """An alert is kept even when its camera was never registered; the camera is named like its id."""
    await api.send(camera_id="back-door")
    reader = await api.log_in()
    assert (await reader.get("/alerts")).json()["items"][0]["camera_name"] == "back-door"
    await api.worker.put(
        "/cameras/back-door",
        json={
            "camera_id": "back-door",
            "name": "Back door",
            "timezone": "UTC",
            "width": 640,
            "height": 480,
            "zones": [],
            "rules": [],
        },
    )
    assert (await reader.get("/alerts")).json()["items"][0]["camera_name"] == "Back door"


async def test_phases_posted_at_once_share_commits_and_lose_nothing(api: Api) -> None:
    """Fifty phases of ten alerts, each sent twice at the same time, are stored exactly once each."""
    jobs = [api.send(number, Phase.UPDATED, revision) for number in range(10) for revision in range(5)]
    again = [api.send(number, Phase.UPDATED, revision) for number in range(10) for revision in range(5)]
    answers = await asyncio.gather(*jobs, *again)
    assert sorted(answer.status_code for answer in answers) == [200] * 50 + [201] * 50
    reader = await api.log_in()
    items = (await reader.get("/alerts")).json()["items"]
    assert [item["revision"] for item in items] == [4] * 10


async def test_every_change_has_a_number_of_its_own_in_order(api: Api) -> None:
    """Change numbers grow by one with every commit and never repeat."""
    for number in range(3):
        await api.send(number)
    await api.send(1, Phase.CLOSED, 1)
    changes = await api.service.store.alerts.changes_after(0, 100)
    assert [item.change for item in changes] == [1, 3, 4]
    assert [item.alert.alert_id for item in changes] == [alert_in(n).alert_id for n in (0, 2, 1)]
    assert await api.service.store.alerts.head() == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score", float("nan")),
        ("t", float("inf")),
        ("at", "2026-03-01T12:00:00"),
        ("camera_id", "../x"),
        ("more", 1),
    ],
)
async def test_a_wrong_alert_is_refused_without_being_repeated(api: Api, field: str, value: Any) -> None:
    """A body that breaks the contract is 422, names the place, and is not stored."""
    body = alert_in().model_dump(mode="json") | {field: value}
    answer = await api.worker.post("/alerts", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422
    assert field in str(answer.json()["detail"][0]["loc"])
    assert set(answer.json()["detail"][0]) == {"loc", "msg", "type"}
    assert await api.service.store.alerts.head() == 0


async def test_a_body_without_end_is_refused(api: Api) -> None:
    """JSON above the limit is 413."""
    answer = await api.worker.post("/alerts", content=b"[" * (9 * 1024 * 1024), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.skipif("WATCHPOST_TEST_POSTGRES" in os.environ, reason="a lock of SQLite")
@pytest.mark.parametrize("more_settings", [{"busy_s": 0.05}])
async def test_a_locked_database_is_told_and_recovers(api: Api) -> None:
    """While another process holds the database: POST 503, reading goes on, health degraded; then well."""
    reader = await api.log_in()
    holder = sqlite3.connect(api.service.settings.database.database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    answers = await asyncio.gather(*(api.send(number) for number in range(3)))
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] for answer in answers)
    assert (await reader.get("/alerts")).json()["items"] == []
    health = (await reader.get("/health")).json()
    assert health["status"] == "degraded"
    assert "locked" in health["problems"][0]
    holder.execute("ROLLBACK")
    holder.close()
    assert (await api.send(0)).status_code == 201
    assert (await reader.get("/health")).json()["status"] == "ok"


async def test_filters_narrow_the_list(api: Api) -> None:
    """Every filter shows exactly the alerts that have the value."""
    await api.send(0, camera_id="a")
    await api.send(1, camera_id="b", rule="handoff", severity=Severity.HIGH)
    await api.send(1, Phase.CLOSED, 1, camera_id="b", rule="handoff", severity=Severity.HIGH)
    reader = await api.log_in()
    await reader.post(f"/alerts/{alert_in(0).alert_id}/verdict", json={"verdict": "true"})

    async def numbers(**params: str) -> list[int]:
        items = (await reader.get("/alerts", params=params)).json()["items"]
        known = {str(alert_in(n).alert_id): n for n in range(2)}
        return [known[item["alert_id"]] for item in items]

    assert await numbers() == [1, 0]
    assert await numbers(camera_id="a") == [0]
    assert await numbers(rule="handoff") == [1]
    assert await numbers(phase="closed") == [1]
    assert await numbers(severity="medium") == [0]
    assert await numbers(verdict="none") == [1]
    assert await numbers(verdict="true") == [0]
    assert await numbers(verdict="false") == []
    assert (await reader.get("/alerts", params={"verdict": "perhaps"})).status_code == 422


async def test_every_verdict_is_kept_and_the_last_one_counts(api: Api) -> None:
    """A second verdict does not erase the first; both carry who and when."""
    await api.send()
    reader = await api.log_in("operator")
    path = f"/alerts/{alert_in().alert_id}/verdict"
    await reader.post(path, json={"verdict": "true"})
    api.clock.pass_s(60)
    told = {"verdict": "false", "reason": "other", "note": "a school class <b>&"}
    detail = (await reader.post(path, json=told)).json()
    assert detail["verdict"] == told | {"by": "operator", "at": "2026-03-01T12:31:00Z"}
    assert [one["verdict"] for one in detail["verdicts"]] == ["true", "false"]
    assert detail["updated_at"] == "2026-03-01T12:31:00Z"


@pytest.mark.parametrize("body", [{"verdict": "false"}, {"verdict": "unclear", "reason": "other"}, {}])
async def test_a_verdict_without_its_reason_is_refused(api: Api, body: dict[str, str]) -> None:
    """False and unclear need a reason, `other` a note."""
    await api.send()
    reader = await api.log_in()
    assert (await reader.post(f"/alerts/{alert_in().alert_id}/verdict", json=body)).status_code == 422


async def test_an_unknown_alert_is_404_everywhere(api: Api) -> None:
    """No route invents an alert."""
    reader, path = await api.log_in(), f"/alerts/{alert_in(7).alert_id}"
    for tail in ("", "/snapshot", "/clip", "/overlay"):
        assert (await reader.get(path + tail)).status_code == 404
    assert (await reader.post(path + "/verdict", json={"verdict": "true"})).status_code == 404
