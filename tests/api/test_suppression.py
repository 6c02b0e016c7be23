"""What a desk is shown: repeats and overflow are stored, listed and counted; nothing that escalates stays hidden."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import httpx
import pytest
from support.alerts import START, alert_in
from support.api import Api
from support.hook import hook

from detector.types import Phase, Severity

pytestmark = pytest.mark.anyio

LOW, MEDIUM, HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH


async def shown(client: httpx.AsyncClient, suppressed: str = "no") -> set[int]:
    """The numbers of the alerts in the list."""
    items = (await client.get("/alerts", params={"suppressed": suppressed, "limit": 200})).json()["items"]
    ids = {item["alert_id"] for item in items}
    return {number for number in range(100) if str(alert_in(number).alert_id) in ids}


async def test_by_default_nothing_is_suppressed(api: Api) -> None:
    """Without settings every alert is shown."""
    for number in range(3):
        await api.send(number)
    client = await api.log_in()
    assert await shown(client) == {0, 1, 2}
    load = (await client.get("/alerts/load")).json()
    assert load == {"shown": 3, "budget": None, "suppressed": {"cooldown": 0, "budget": 0, "shadow": 0}}


@pytest.mark.parametrize("more_settings", [{"cooldown_s": 60}])
async def test_a_cooldown_hides_repeats_and_no_escalation(api: Api) -> None:
    """The same camera, rule and zone, not more severe, within the time: stored and not shown; all else is shown."""
    sent: list[tuple[int, dict[str, Any], bool]] = [
        (0, {}, True),
        (10, {}, False),
        (11, {"severity": LOW}, False),
        (12, {"severity": HIGH}, True),
        (13, {"camera_id": "gate"}, True),
        (14, {"rule": "loitering"}, True),
        (15, {"zone": "path"}, True),
        (61, {"severity": HIGH}, False),
        (72, {"severity": HIGH}, False),
        (73, {"severity": HIGH}, True),
    ]
    for number, changes, _ in sent:
        assert (await api.send(number, **changes)).json()["stored"] is True
    client = await api.log_in()
    assert await shown(client) == {number for number, _, is_shown in sent if is_shown}
    assert await shown(client, "only") == {number for number, _, is_shown in sent if not is_shown}
    assert len(await shown(client, "any")) == len(sent)
    found = (await client.get(f"/alerts/{alert_in(10).alert_id}")).json()
    assert found["suppressed"] == {"why": "cooldown", "by": str(alert_in(0).alert_id)}
    assert (await client.get("/alerts/load")).json()["suppressed"]["cooldown"] == 4
    await api.send(10, Phase.UPDATED, 1)
    assert 10 not in await shown(client)
    await api.send(10, Phase.UPDATED, 2, severity=HIGH)
    assert 10 in await shown(client), "an escalation was hidden"


@pytest.mark.parametrize("more_settings", [{"budget_per_hour": 3}])
async def test_above_the_budget_only_low_ones_are_hidden(api: Api) -> None:
    """Three an hour: the fourth of low severity is not shown, medium and high are; an hour later all are again."""
    for number in range(5):
        await api.send(number, severity=LOW)
    await api.send(5, severity=MEDIUM)
    await api.send(6, severity=HIGH)
    client = await api.log_in()
    assert await shown(client) == {0, 1, 2, 5, 6}
    load = (await client.get("/alerts/load")).json()
    assert load == {"shown": 5, "budget": 3, "suppressed": {"cooldown": 0, "budget": 2, "shadow": 0}}
    await api.send(3, Phase.UPDATED, 1, severity=MEDIUM)
    assert 3 in await shown(client), "an escalation was hidden"
    api.clock.pass_s(3601)
    await api.send(7, severity=LOW)
    client = await api.log_in()
    assert 7 in await shown(client)


@pytest.mark.parametrize("more_settings", [{"cooldown_s": 60}])
async def test_repeats_that_share_a_commit_are_found(api: Api) -> None:
    """A worker that sends what it kept for an hour sends many at once: of one moment one is shown, and each is stored once."""
    alerts = [alert_in(number, at=START) for number in range(20)]
    assert all(await asyncio.gather(*(api.service.store.alerts.ingest(alert) for alert in alerts)))
    client = await api.log_in()
    assert len(await shown(client)) == 1
    assert len(await shown(client, "only")) == 19
    assert not any(await asyncio.gather(*(api.service.store.alerts.ingest(alert) for alert in alerts)))


@pytest.mark.parametrize("more_settings", [{"cooldown_s": 60, "outbound_private": True}])
async def test_what_is_suppressed_goes_nowhere_until_it_rises(api: Api) -> None:
    """A target hears of a suppressed alert when it rises, from its opening on; who made the target is in the audit."""
    admin = await api.log_in("admin")
    with hook() as receiver:
        to = {"kind": "webhook", "url": receiver.url, "key": "whsec_" + b64encode(bytes(range(32))).decode()}
        made = await admin.post("/outbound", json={"name": "centre", "wants": {}, "to": to})
        assert made.status_code == 201, made.text
        await api.send(0)
        await api.send(10)
        await api.send(10, Phase.UPDATED, 1)
        await api.send(10, Phase.UPDATED, 2, severity=HIGH)
        await receiver.until(3)
        told = [json.loads(body) for _, body in receiver.came]
        first, second = (str(alert_in(number).alert_id) for number in (0, 10))
        assert [(one["alert_id"], one["phase"]) for one in told] == [
            (first, "opened"),
            (second, "opened"),
            (second, "updated"),
        ]
        assert (await admin.delete(f"/outbound/{made.json()['target_id']}")).status_code == 204
    lines = (await admin.get("/audit", params={"about": "centre"})).json()["items"]
    assert [(one["who"], one["details"]["done"]) for one in lines] == [
        ("admin", "target removed"),
        ("admin", "target added"),
    ]


def silent(number: int) -> dict[str, Any]:
    """What makes an alert one of a silent rule."""
    return {"provenance": alert_in(number).provenance.model_copy(update={"params": {"shadow": True}})}


@pytest.mark.parametrize(
    "more_settings", [{"cooldown_s": 60, "budget_per_hour": 2, "outbound_private": True}]
)
async def test_a_silent_rule_is_stored_and_counted_and_never_shown(api: Api) -> None:
    """No list, load, message outside or figure of the desk has it, however severe it gets; its own list and precision do."""
    admin = await api.log_in("admin")
    with hook() as receiver:
        to = {"kind": "webhook", "url": receiver.url, "key": "whsec_" + b64encode(bytes(range(32))).decode()}
        assert (await admin.post("/outbound", json={"name": "t", "wants": {}, "to": to})).status_code == 201
        await api.send(0, **silent(0))
        await api.send(0, Phase.UPDATED, 1, severity=HIGH, **silent(0))
        await api.send(1, severity=HIGH, **silent(1))
        await api.send(2, severity=LOW)  # no repeat of the silent ones, and the budget is untouched
        await receiver.until(1)
        assert [json.loads(body)["alert_id"] for _, body in receiver.came] == [str(alert_in(2).alert_id)]
    assert (await shown(admin), await shown(admin, "only")) == ({2}, set())
    assert await shown(admin, "shadow") == {0, 1}
    load = (await admin.get("/alerts/load")).json()
    assert (load["shown"], load["suppressed"]) == (1, {"cooldown": 0, "budget": 0, "shadow": 2})
    alert_id = alert_in(0).alert_id
    detail = (await admin.get(f"/alerts/{alert_id}")).json()
    assert detail["suppressed"] == {"why": "shadow", "by": None}
    assert (await admin.post(f"/alerts/{alert_id}/verdict", json={"verdict": "true"})).is_success
    found = (await admin.get("/stats/insights")).json()
    assert (found["n_alerts"], found["to_verdict"]["n"]) == (1, 0)
    lines = [(one["shadow"], one["n_alerts"], one["n_true"]) for one in found["precision"]]
    assert sorted(lines) == [(False, 1, 0), (True, 2, 1)]
