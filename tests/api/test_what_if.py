"""Trying a configuration on the past: the question's way to the worker, what becomes of past alerts, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from support.api import Api

from api.schemas import Verdict
from api.schemas_what_if import Past, Would
from api.what_if import fates
from detector.types import Phase, Severity

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "/cameras/lawn/what-if"
ASK = {"worker_id": "w", "answered": {"lawn": 0}}
SPAN = {"since": "2026-03-01T11:00:00Z", "until": "2026-03-01T13:00:00Z"}
BODY: dict[str, Any] = SPAN | {"configuration": {"rules": [{"rule": "gathering"}]}}


def past(n: int, at_s: float, rule: str = "gathering", zone: str = "grass") -> Past:
    at = NOON + timedelta(seconds=at_s)
    return Past(
        alert_id=UUID(int=n),
        rule=rule,
        zone=zone,
        severity=Severity.LOW,
        started_at=at - timedelta(seconds=20),
        opened_at=at,
        verdict=Verdict.FALSE,
        reason="",
    )


def would(at_s: float, end_s: float | None, rule: str = "gathering", zone: str = "grass") -> Would:
    at = NOON + timedelta(seconds=at_s)
    return Would(
        rule=rule,
        zone=zone,
        severity=Severity.LOW,
        started_at=at - timedelta(seconds=20),
        opened_at=at,
        ended_at=None if end_s is None else NOON + timedelta(seconds=end_s),
        reason="",
    )


def told(*args: Any) -> list[tuple[str, int | None]]:
    return [(one.fate.value, None if one.past is None else one.past.alert_id.int) for one in fates(*args)]


def test_what_overlaps_in_time_is_the_same_incident() -> None:
    """One to one, by rule and time, the same zone before another; what is left over vanishes or appears, oldest first."""
    end = NOON + timedelta(seconds=60)
    one, two = past(1, 0), past(2, 30)
    assert told([(one, end)], [would(10, 50)]) == [("stays", 1)]
    assert told([(one, end)], [would(10, 50, rule="running")]) == [("vanishes", 1), ("appears", None)]
    assert told([(one, end)], [would(100, 200)]) == [("vanishes", 1), ("appears", None)]
    assert told([(one, None)], [would(500, None)]) == [("stays", 1)], "both go on"
    assert told([(one, end), (two, end)], [would(29, 90)]) == [("vanishes", 1), ("stays", 2)]
    both = [would(0, 60, zone="path"), would(20, 60)]
    assert fates([(one, end)], both)[0].would == both[1]
    assert told([], []) == []


async def ask(client: httpx.AsyncClient, body: dict[str, Any] | None = None) -> httpx.Response:
    return await client.post(URL, json=body or BODY)


@pytest.fixture(autouse=True)
async def _heard(api: Api) -> None:
    """A worker is there."""
    assert (await api.worker.post("/orders", json=ASK)).status_code == 200


async def order(api: Api) -> dict[str, Any]:
    """What the worker is given, once it is there."""
    async with asyncio.timeout(20):
        while True:
            found: list[dict[str, Any]] = (await api.worker.post("/orders", json=ASK)).json()["what_ifs"]
            if found:
                return found[0]
            await asyncio.sleep(0.01)


def answer(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"problem": "", "judged_until": SPAN["until"], "n_pictures": 9}
    covered = [["2026-03-01T11:59:00Z", "2026-03-01T12:00:30Z"]]
    return found | {"covered": covered, "took_s": 1.5, "left_out": [], "alerts": []} | changes


async def test_past_alerts_are_compared_with_what_would_have_been(api: Api) -> None:
    """The worker gets configuration and span, once; the answer names each past alert with its verdict, and each new one."""
    await api.send(0)
    await api.send(0, Phase.CLOSED, 1)
    await api.send(1, rule="left_behind")
    await api.send(2, rule="blind", zone="")
    await api.send(200)  # opened when no tracks were kept
    admin = await api.log_in("admin")
    alert_id = (await admin.get("/alerts")).json()["items"][-1]["alert_id"]
    await admin.post(f"/alerts/{alert_id}/verdict", json={"verdict": "true"})
    asking = asyncio.create_task(ask(admin))
    given = await order(api)
    assert (given["camera_id"], given["since"], given["until"]) == ("lawn", SPAN["since"], SPAN["until"])
    assert given["configuration"]["rules"][0]["rule"] == "gathering"
    assert (await api.worker.post("/orders", json=ASK)).json()["what_ifs"] == []
    busy = await ask(admin)
    assert busy.status_code == 409
    new = would(900, 950).model_dump(mode="json")
    found = answer(left_out=["left_behind"], alerts=[new])
    assert (await api.worker.put(f"/what-ifs/{given['what_if_id']}", json=found)).status_code == 204
    result = (await asking).json()
    assert [(one["fate"], one["past"] and one["past"]["verdict"]) for one in result["lines"]] == [
        ("vanishes", "true"),
        ("appears", None),
    ]
    assert (result["took_s"], result["left_out"], result["n_pictures"]) == (1.5, ["left_behind"], 9)
    assert (result["covered_s"], result["n_not_covered"]) == (90.0, 1)
    assert (await api.worker.put(f"/what-ifs/{given['what_if_id']}", json=found)).status_code == 404


async def test_a_worker_that_cannot_says_so(api: Api) -> None:
    """What it refuses is the answer; one that never asks is told as such; nothing stays behind."""
    await api.send(0)
    admin = await api.log_in("admin")
    asking = asyncio.create_task(ask(admin))
    given = await order(api)
    said = "configuration.rules[0].hold_s: out of range"
    await api.worker.put(f"/what-ifs/{given['what_if_id']}", json=answer(problem=said))
    refused = await asking
    assert (refused.status_code, refused.json()["detail"]) == (422, said)


async def test_a_camera_without_a_worker_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes the question, or nobody ever asked for work: 409 in words, and the next one may be asked."""
    monkeypatch.setattr("api.what_if.TAKEN_WITHIN_S", 0.05)
    await api.send(0)
    admin = await api.log_in("admin")
    for _ in range(2):
        assert "did not ask for work" in (await ask(admin)).json()["detail"]
    monkeypatch.setattr("api.what_if.TAKEN_WITHIN_S", 20.0)
    monkeypatch.setattr("api.what_if.ANSWERED_WITHIN_S", 0.05)
    asking = asyncio.create_task(ask(admin))
    await order(api)
    assert "did not answer" in (await asking).text
    monkeypatch.setattr("api.what_if.HEARD_WITHIN_S", -1.0)
    answer = await ask(admin)
    assert (answer.status_code, "no worker" in answer.text) == (409, True)


async def test_a_service_that_stops_tells_who_waits(api: Api) -> None:
    """Neither a question that nobody took nor one under way holds up the end."""
    await api.send(0)
    await api.send(1, camera_id="roof")
    ask_roof = {"worker_id": "w", "answered": {"roof": 0}}
    await api.worker.post("/orders", json=ask_roof)
    admin = await api.log_in("admin")
    asking = [asyncio.create_task(admin.post(url, json=BODY)) for url in (URL, "/cameras/roof/what-if")]
    await order(api)
    async with asyncio.timeout(20):
        while len(api.service.what_ifs.waiting) < 2:
            await asyncio.sleep(0.01)
    api.service.what_ifs.end()
    assert [(await one).json()["detail"] for one in asking] == ["the service stops"] * 2


async def test_spans_and_shapes_are_bounded(api: Api) -> None:
    """Backwards, over two days, a zone that is none, an unknown camera: refused before any worker is asked."""
    await api.send(0)
    admin = await api.log_in("admin")
    crossed = {"zones": [{"name": "z", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}
    for wrong in (
        BODY | {"since": SPAN["until"], "until": SPAN["since"]},
        BODY | {"since": "2026-02-01T00:00:00Z"},
        BODY | {"since": "2026-03-01T11:00:00"},
        BODY | {"configuration": crossed},
    ):
        assert (await ask(admin, wrong)).status_code == 422
    assert (await admin.post("/cameras/none/what-if", json=BODY)).status_code == 404
    assert (await api.worker.put(f"/what-ifs/{uuid4()}", json=answer())).status_code == 404
