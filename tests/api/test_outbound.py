"""Targets outside: each gets what it wants, in order, signed; one that is slow, away or refusing harms no other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from support.api import Api
from support.hook import Hook, hook
from support.waiting import until

from api.db import tables as tb
from api.outbound.dispatch import GIVEN_UP_AFTER, Line, rest_s
from detector.types import Phase, Severity

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("more_settings", [{"outbound_private": True}])]
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as own:
        yield own


@pytest.fixture
def other() -> Iterator[Hook]:
    with hook() as own:
        yield own


def webhook(to: Hook, name: str = "centre", **wants: Any) -> dict[str, Any]:
    return {"name": name, "wants": wants, "to": {"kind": "webhook", "url": to.url, "key": KEY}}


async def make(admin: httpx.AsyncClient, body: dict[str, Any]) -> int:
    answer = await admin.post("/outbound", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["target_id"])


async def line_of(api: Api, target_id: int) -> Line:
    """The way to a target, turned by the test: the target itself must be off, or two would deliver."""
    return api.service.outbound.line(await api.service.store.outbound.get(target_id))


async def shown(admin: httpx.AsyncClient, target_id: int) -> dict[str, Any]:
    return next(one for one in (await admin.get("/outbound")).json() if one["target_id"] == target_id)


async def test_each_phase_goes_out_once_in_order_and_signed(api: Api, receiver: Hook) -> None:
    """A webhook gets every phase once, in order, with a signature over id, time and body; a repeat brings no second."""
    await make(await api.log_in("admin"), webhook(receiver))
    for _ in range(2):
        await api.send(1)
        await api.send(1, Phase.UPDATED, 1, severity=Severity.HIGH)
        await api.send(1, Phase.CLOSED, 2)
    await receiver.until(3)
    await until(lambda: _settled(api))
    assert [json.loads(body)["phase"] for _, body in receiver.came] == ["opened", "updated", "closed"]
    for headers, body in receiver.came:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.digest(bytes(range(32)), signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"
        assert headers["webhook-timestamp"] == str(int(api.clock().timestamp()))
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 3


async def _settled(api: Api) -> bool:
    async with api.service.store.database.reading() as connection:
        count = select(func.count()).select_from(tb.outbound_queue)
        return (await connection.execute(count)).scalar_one() == 0


async def test_a_slow_target_holds_up_no_other(api: Api, receiver: Hook, other: Hook) -> None:
    """One target never answers: the other and the feed get all 20 alerts, and the backlog of the slow is told. (API-02)"""
    admin = await api.log_in("admin")
    receiver.answers.clear()
    slow, quick = await make(admin, webhook(receiver, "slow")), await make(admin, webhook(other, "quick"))
    listener = api.service.feed.listen()
    for number in range(20):
        assert (await api.send(number)).status_code == 201
    await other.until(20)
    assert len({json.loads(body)["alert_id"] for _, body in other.came}) == 20
    assert listener.queue.qsize() >= 20
    assert len(receiver.came) <= 1
    assert (await shown(admin, slow))["n_waiting"] == 20
    await until(lambda: _all_gone(admin, quick))


async def _all_gone(admin: httpx.AsyncClient, target_id: int) -> bool:
    return bool((await shown(admin, target_id))["n_waiting"] == 0)


async def test_a_request_has_a_limit_of_time(
    api: Api, receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that takes and never answers is left after the limit, and the target rests. (API-02)"""
    monkeypatch.setattr("api.outbound.webhook.LIMIT_S", 0.2)
    admin = await api.log_in("admin")
    receiver.answers.clear()
    target = await make(admin, webhook(receiver) | {"enabled": True})
    await api.send(1)
    await until(lambda: _failing(admin, target))
    assert "no answer within" in (await shown(admin, target))["problem"]


async def _failing(admin: httpx.AsyncClient, target_id: int) -> bool:
    return bool((await shown(admin, target_id))["failing_since"])


async def test_a_target_that_is_away_is_tried_for_a_day(api: Api, receiver: Hook) -> None:
    """A target that answers 503 rests longer and longer; back within a day it gets all, after a day what is old is given up."""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    receiver.status = 503
    await api.send(1)
    await until(lambda: _failing(admin, target))
    await admin.put(f"/outbound/{target}", json=webhook(receiver) | {"enabled": False})
    line = await line_of(api, target)
    rests = []
    for _ in range(12):
        rests.append(await line.turn())
        api.clock.pass_s(rests[-1])
    assert rests == [rest_s(n) for n in range(1, 13)]
    assert rests[-1] == 300
    receiver.status, receiver.came = 200, []
    await line.turn()
    assert [json.loads(body)["phase"] for _, body in receiver.came] == ["opened"]

    await admin.put(f"/outbound/{target}", json=webhook(receiver))
    receiver.status = 503
    await api.send(2)
    await until(lambda: _failing(admin, target))
    await admin.put(f"/outbound/{target}", json=webhook(receiver) | {"enabled": False})
    api.clock.pass_s((GIVEN_UP_AFTER + timedelta(seconds=1)).total_seconds())
    await line.turn()
    admin = await api.log_in("admin")  # the session has ended meanwhile
    log = (await admin.get(f"/outbound/{target}/log")).json()
    assert log[0]["outcome"] == "expired"
    assert (await shown(admin, target))["n_waiting"] == 0
    await line.sender.close()


async def test_what_is_refused_does_not_hold_up_what_follows(api: Api, receiver: Hook) -> None:
    """A receiver that answers 400 to one alert gets the next at once, and the refused one again later."""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    receiver.status = 400
    await api.send(1)
    await receiver.until(1)
    await until(lambda: _failing(admin, target))
    receiver.status = 200
    await api.send(2)
    await receiver.until(2)
    await until(lambda: _not_failing(admin, target))
    assert (await shown(admin, target))["n_waiting"] == 1
    api.clock.pass_s(20)
    await api.send(3)
    await receiver.until(4)
    first = {json.loads(body)["alert_id"] for _, body in receiver.came}
    assert len(first) == 3


async def _not_failing(admin: httpx.AsyncClient, target_id: int) -> bool:
    return not await _failing(admin, target_id)


async def test_a_redirect_is_not_followed(api: Api, receiver: Hook, other: Hook) -> None:
    """A receiver cannot send the service on to another address. (SEC-04)"""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    receiver.status, receiver.headers = 302, {"Location": other.url}
    answer = (await admin.post(f"/outbound/{target}/test")).json()
    assert answer == {"delivered": False, "words": "answered 302: redirects are not followed"}
    assert other.came == []


async def test_the_queue_is_bounded(api: Api, receiver: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than may wait the oldest are left out, counted and told; the newest stay. (API-02)"""
    monkeypatch.setattr("api.outbound.dispatch.MOST_WAITING", 5)
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    receiver.status = 503
    await api.send(0)
    await until(lambda: _failing(admin, target))
    await admin.put(f"/outbound/{target}", json=webhook(receiver))
    for number in range(1, 10):
        await api.send(number)
    line = await line_of(api, target)
    await line.turn()
    told = await shown(admin, target)
    assert (told["n_waiting"], told["n_dropped"]) == (5, 5)
    await line.sender.close()


async def test_a_target_gets_only_what_it_wants(api: Api, receiver: Hook, other: Hook) -> None:
    """Camera, rule and severity choose; a target that is off gets nothing, not even later."""
    admin = await api.log_in("admin")
    await make(
        admin, webhook(receiver, "some", camera_ids=["gate"], rules=["gathering"], min_severity="high")
    )
    off = await make(admin, webhook(other, "off") | {"enabled": False})
    await api.send(1, camera_id="gate", severity=Severity.MEDIUM)
    await api.send(2, camera_id="lawn", severity=Severity.HIGH)
    await api.send(3, camera_id="gate", severity=Severity.HIGH, rule="handoff")
    await api.send(4, camera_id="gate", severity=Severity.HIGH)
    await receiver.until(1)
    await until(lambda: _settled(api))
    assert [json.loads(body)["camera_id"] for _, body in receiver.came] == ["gate"]
    assert (await admin.put(f"/outbound/{off}", json=webhook(other, "off"))).status_code == 200
    assert (await shown(admin, off))["n_waiting"] == 0
    assert other.came == []


async def test_a_test_message_says_that_it_is_one(api: Api, receiver: Hook) -> None:
    """The test button sends at once and tells how it fared, but nothing that the receiver wrote."""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    answer = (await admin.post(f"/outbound/{target}/test")).json()
    assert answer == {"delivered": True, "words": "answered 200"}
    assert json.loads(receiver.came[0][1])["type"] == "test"
    (line,) = (await admin.get(f"/outbound/{target}/log")).json()
    assert (line["outcome"], line["alert_id"]) == ("delivered", None)


async def test_secrets_go_in_and_never_come_out(
    api: Api, receiver: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the key nor the path of the address is in any answer or log line, not even of a refusal. (SEC-02)"""
    caplog.set_level(logging.DEBUG, "api")
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    texts = [
        (await admin.get("/outbound")).text,
        (await admin.post("/outbound", json=webhook(receiver))).text,
        (await admin.post(f"/outbound/{target}/test")).text,
        (await admin.get(f"/outbound/{target}/log")).text,
        (
            await admin.post(
                "/outbound",
                json={"name": "x", "to": {"kind": "webhook", "url": "ftp://u:SECRETPATH@h", "key": KEY[:-9]}},
            )
        ).text,
        (await admin.get("/health")).text,
        repr(await api.service.store.outbound.get(target)),
        caplog.text,
    ]
    for text in texts:
        assert "SECRETPATH" not in text
        assert KEY[6:40] not in text
    assert f"http://127.0.0.1:{receiver.port}/…" in texts[0]


async def test_a_secret_stays_with_the_place_it_was_given_for(api: Api, receiver: Hook, other: Hook) -> None:
    """Left out, secrets stay; pointed at another address, the key must be given again: nobody can have it sent elsewhere."""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    same = {"name": "renamed", "to": {"kind": "webhook"}}
    assert (await admin.put(f"/outbound/{target}", json=same)).json()["name"] == "renamed"
    moved = {"name": "renamed", "to": {"kind": "webhook", "url": other.url}}
    assert (await admin.put(f"/outbound/{target}", json=moved)).status_code == 422
    await api.send(1)
    await receiver.until(1)


async def test_only_administrators_see_targets(api: Api, receiver: Hook) -> None:
    """An operator and a viewer get 403 for every route of targets."""
    target = await make(await api.log_in("admin"), webhook(receiver))
    for role in ("operator", "viewer"):
        client = await api.log_in(role)
        asked = [
            await client.get("/outbound"),
            await client.post("/outbound", json=webhook(receiver, "mine")),
            await client.put(f"/outbound/{target}", json=webhook(receiver)),
            await client.delete(f"/outbound/{target}"),
            await client.post(f"/outbound/{target}/test"),
            await client.get(f"/outbound/{target}/log"),
        ]
        assert {answer.status_code for answer in asked} == {403}


async def test_what_waits_outlives_the_service_and_goes_with_its_target(api: Api, receiver: Hook) -> None:
    """The queue is in the database; a target that is removed takes its queue and its log along."""
    admin = await api.log_in("admin")
    target = await make(admin, webhook(receiver))
    receiver.status = 503
    await api.send(1)
    await until(lambda: _failing(admin, target))
    assert not await _settled(api)
    assert (await admin.delete(f"/outbound/{target}")).status_code == 204
    told = [
        line["details"]["done"]
        for line in (await admin.get("/audit")).json()["items"]
        if line["about"] == "centre"
    ]
    assert told == ["target removed", "target added"]
    assert await _settled(api)
    assert (await admin.get(f"/outbound/{target}/log")).status_code == 404
    assert (await admin.post(f"/outbound/{target}/test")).status_code == 404
