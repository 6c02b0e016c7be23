"""The life of an alert: claimed by one, judged, noted, reopened, closed with many, handed over."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from support.alerts import alert_in
from support.api import Api

from api.db.rows import CLAIM_LIFE

pytestmark = pytest.mark.anyio


def path(number: int = 0, act: str = "") -> str:
    return f"/alerts/{alert_in(number).alert_id}{act}"


async def pair(api: Api) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Two people who work at the same desk."""
    return await api.log_in("operator"), await api.log_in("admin")


async def claim(client: httpx.AsyncClient, number: int = 0, **wish: bool) -> httpx.Response:
    return await client.post(path(number, "/claim"), json=wish)


async def alert(client: httpx.AsyncClient, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(path(number))).json()
    return found


async def test_of_many_claims_at_once_one_is_given(api: Api) -> None:
    """Twenty people ask in the same moment: one has it, nineteen are told by whom and since when."""
    await api.send()
    one, two = await pair(api)
    answers = await asyncio.gather(*(claim(client) for client in [one, two] * 10))
    winner = "operator" if answers[0].status_code == 200 else "admin"
    given = [client for client, answer in zip("oa" * 10, answers, strict=True) if answer.status_code == 200]
    assert set(given) == {winner[0]}
    assert {answer.json()["detail"] for answer in answers if answer.status_code != 200} == {
        f"{winner} has this alert since 2026-03-01 12:30:00 UTC"
    }
    found = await alert(one)
    assert (found["status"], found["claim"]["by"]) == ("claimed", winner)
    assert [(one["kind"], one["by"]) for one in found["actions"]] == [("claimed", winner)]


async def test_anothers_alert_is_not_judged_unknowingly(api: Api) -> None:
    """A verdict on an alert that another has is 409; taking over says so and is in the history; then it is given."""
    await api.send()
    one, two = await pair(api)
    await claim(one)
    assert (await two.post(path(0, "/verdict"), json={"verdict": "true"})).status_code == 409
    assert (await two.delete(path(0, "/claim"))).status_code == 409
    assert (await claim(two, take_over=True)).status_code == 200
    refused = await one.post(path(0, "/verdict"), json={"verdict": "true"})
    assert "admin has this alert" in refused.json()["detail"]
    answer = await two.post(path(0, "/verdict"), json={"verdict": "true"})
    assert (answer.json()["status"], answer.json()["claim"]) == ("closed", None)
    actions = answer.json()["actions"]
    assert [(a["kind"], a["by"], a["note"]) for a in actions][1] == ("taken_over", "admin", "from operator")
    assert (await claim(one)).status_code == 409, "a closed alert is claimed"


async def test_a_claim_ends_without_a_sign_of_life(api: Api) -> None:
    """Ten minutes after the last act of its holder the alert is free; every act of theirs puts that off."""
    await api.send()
    one, two = await pair(api)
    await claim(one)
    life_s = CLAIM_LIFE.total_seconds()
    for act, body in (("/claim", {}), ("/notes", {"note": "a look at the gate"})):
        api.clock.pass_s(life_s - 1)
        assert (await claim(two)).status_code == 409
        assert (await one.post(path(0, act), json=body)).status_code == 200
    api.clock.pass_s(life_s - 1)
    assert (await alert(two))["status"] == "claimed"
    api.clock.pass_s(1)
    found = await alert(two)
    assert (found["status"], found["claim"]) == ("new", None)
    assert (await claim(two)).status_code == 200
    assert (await one.delete(path(0, "/claim"))).status_code == 409
    assert (await two.delete(path(0, "/claim"))).json()["status"] == "new"
    assert (await two.delete(path(0, "/claim"))).status_code == 200, "releasing twice"


async def test_a_sign_of_life_is_not_news_each_time(api: Api) -> None:
    """A page that says every few seconds that its person is there does not fill the feed."""
    await api.send()
    client = await api.log_in()
    await claim(client)
    head = await api.service.store.alerts.head()
    for _ in range(5):
        api.clock.pass_s(10)
        await claim(client)
    assert await api.service.store.alerts.head() == head
    api.clock.pass_s(10)
    await claim(client)
    assert await api.service.store.alerts.head() == head + 1


async def test_a_closed_alert_is_opened_again(api: Api) -> None:
    """Reopened, an alert is new and waits in the queue; its verdicts, notes and who reopened it stay."""
    await api.send()
    client = await api.log_in()
    assert (await client.post(path(0, "/reopen"), json={})).status_code == 409
    await client.post(path(0, "/verdict"), json={"verdict": "false", "reason": "animal"})
    found = (await client.post(path(0, "/reopen"), json={"note": "it was no fox"})).json()
    assert (found["status"], found["verdict"], len(found["verdicts"])) == ("new", None, 1)
    assert [(a["kind"], a["note"]) for a in found["actions"]] == [("reopened", "it was no fox")]
    assert len((await client.get("/alerts", params={"verdict": "none"})).json()["items"]) == 1


async def test_notes_are_words(api: Api) -> None:
    """A note keeps its words as they are; an empty one and one with control characters are 422. (SEC-03)"""
    await api.send()
    client = await api.log_in()
    for bad in ("", "  ", "a\u202eb", "a\x00b", "x" * 2001):
        assert (await client.post(path(0, "/notes"), json={"note": bad})).status_code == 422
    note = "<img src=x onerror=alert(1)> {{7*7}}"
    found = (await client.post(path(0, "/notes"), json={"note": note})).json()
    assert [a["note"] for a in found["actions"]] == [note]
    assert (await client.post(path(9, "/notes"), json={"note": "a"})).status_code == 404


async def test_many_duplicates_are_closed_at_once(api: Api) -> None:
    """Those that are open are closed; what is closed, another's or unknown is named and left as it is."""
    for number in range(5):
        await api.send(number)
    one, two = await pair(api)
    await claim(one, 0)
    await claim(two, 1)
    await one.post(path(2, "/verdict"), json={"verdict": "true"})
    ids = [str(alert_in(number).alert_id) for number in (0, 1, 2, 3, 4, 99, 0)]
    body = {"alert_ids": ids, "verdict": {"verdict": "false", "reason": "duplicate"}}
    answer = (await one.post("/alerts/close", json=body)).json()
    assert answer["n_closed"] == 3
    assert [(one["alert_id"], one["reason"].split(" since")[0]) for one in answer["left"]] == [
        (ids[1], "admin has this alert"),
        (ids[2], "it is closed already"),
        (ids[5], "no such alert"),
    ]
    waiting = (await one.get("/alerts", params={"verdict": "none"})).json()["items"]
    assert [item["alert_id"] for item in waiting] == [ids[1]]
    assert (await one.post("/alerts/close", json=body | {"alert_ids": []})).status_code == 422
    viewer = await api.log_in("viewer")
    assert (await viewer.post("/alerts/close", json=body)).status_code == 403


async def test_a_shift_is_handed_over(api: Api) -> None:
    """The note ends its writer's claims and stands in those alerts' history; the first who takes it is named."""
    for number in range(3):
        await api.send(number)
    one, two = await pair(api)
    await claim(one, 0)
    await claim(one, 1)
    await claim(two, 2)
    answer = await one.post("/handovers", json={"note": "two groups at the gate, police are told"})
    assert (answer.status_code, answer.json()["n_released"], answer.json()["taken_by"]) == (201, 2, None)
    for number, status in ((0, "new"), (1, "new"), (2, "claimed")):
        found = await alert(two, number)
        assert found["status"] == status
    assert (await alert(two, 0))["actions"][-1]["kind"] == "handed_over"
    assert "police" in (await alert(two, 0))["actions"][-1]["note"]
    taken = f"/handovers/{answer.json()['handover_id']}/taken"
    assert (await two.post(taken)).json()["taken_by"] == "admin"
    assert (await one.post(taken)).json()["taken_by"] == "admin"
    assert [note["taken_by"] for note in (await two.get("/handovers")).json()] == ["admin"]
    assert (await two.post("/handovers/77/taken")).status_code == 404


async def test_a_worker_changes_no_claim(api: Api) -> None:
    """New phases of an alert come in whoever works on it, and the claim stays."""
    await api.send()
    client = await api.log_in()
    await claim(client)
    await api.send(0, revision=1)
    found = await alert(client)
    assert (found["status"], found["revision"]) == ("claimed", 1)
