"""MQTT, on a real mosquitto."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.api import Api
from support.broker import Broker, broker
from support.waiting import until

from detector.types import Phase, Severity

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("more_settings", [{"outbound_private": True}])]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with broker(folder) as own:
        yield own


def target(own: Broker, **changes: Any) -> dict[str, Any]:
    to = {"kind": "mqtt", "host": "127.0.0.1", "port": own.port, "username": "watchpost", "topic": "site/wp"}
    return {"name": "broker", "to": to | {"password": "MQTTSECRET"} | changes}


async def test_alerts_are_published_by_camera_and_rule(api: Api, mosquitto: Broker) -> None:
    """Each phase on the topic of its camera and rule; the retained state is ON while one goes on, then OFF."""
    admin = await api.log_in("admin")
    assert (await admin.post("/outbound", json=target(mosquitto))).status_code == 201
    await until(lambda: mosquitto.payloads("site/wp/status") == [b"online"])
    await api.send(1, camera_id="gate")
    await api.send(2, camera_id="gate")
    await api.send(3, camera_id="lawn", rule="handoff", severity=Severity.HIGH)
    await until(lambda: len(mosquitto.payloads("site/wp/gate/gathering/alert")) == 2)
    await until(lambda: mosquitto.payloads("site/wp/lawn/handoff/state")[-1:] == [b"ON"])
    await api.send(1, Phase.CLOSED, 1, camera_id="gate")
    await until(lambda: len(mosquitto.payloads("site/wp/gate/gathering/alert")) == 3)
    await until(lambda: len(mosquitto.payloads("site/wp/gate/gathering/state")) == 3)
    assert mosquitto.payloads("site/wp/gate/gathering/state")[-1] == b"ON"  # the other one goes on
    await api.send(2, Phase.CLOSED, 1, camera_id="gate")
    await until(lambda: mosquitto.payloads("site/wp/gate/gathering/state")[-1] == b"OFF")
    phases = [json.loads(one)["phase"] for one in mosquitto.payloads("site/wp/gate/gathering/alert")]
    assert phases == ["opened", "opened", "closed", "closed"]


async def test_a_late_listener_is_told_the_state_and_the_end_of_the_service(
    api: Api, mosquitto: Broker
) -> None:
    """State and status are retained; a target that is switched off says `offline`."""
    admin = await api.log_in("admin")
    made = (await admin.post("/outbound", json=target(mosquitto))).json()
    await api.send(1)
    await until(lambda: mosquitto.payloads("site/wp/lawn/gathering/state") == [b"ON"])
    mosquitto.listen()
    await until(lambda: ("site/wp/lawn/gathering/state", b"ON", True) in mosquitto.came)
    await until(lambda: ("site/wp/status", b"online", True) in mosquitto.came)
    off = target(mosquitto) | {"enabled": False}
    assert (await admin.put(f"/outbound/{made['target_id']}", json=off)).status_code == 200
    await until(lambda: b"offline" in mosquitto.payloads("site/wp/status"))


async def test_a_service_that_dies_leaves_its_last_will(api: Api, mosquitto: Broker) -> None:
    """A connection that ends without a word makes the broker say `offline`."""
    admin = await api.log_in("admin")
    made = (await admin.post("/outbound", json=target(mosquitto))).json()
    await until(lambda: mosquitto.payloads("site/wp/status") == [b"online"])
    line, _ = api.service.outbound._lines[made["target_id"]]
    line.sender._client._client._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # as a kill does
    await until(lambda: b"offline" in mosquitto.payloads("site/wp/status"))


async def test_a_broker_that_was_away_gets_what_it_missed(api: Api, mosquitto: Broker) -> None:
    """Alerts wait while the broker is down and are published when it is back; the test button tells meanwhile."""
    admin = await api.log_in("admin")
    mosquitto.stop()
    made = (await admin.post("/outbound", json=target(mosquitto))).json()
    await api.send(1)
    test = (await admin.post(f"/outbound/{made['target_id']}/test")).json()
    assert not test["delivered"]
    assert test["words"].startswith("no connection")
    mosquitto.start()
    mosquitto.listen()
    await until(lambda: len(mosquitto.payloads("site/wp/lawn/gathering/alert")) == 1)


async def test_a_refused_login_is_told_without_the_password(
    api: Api, mosquitto: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password is a problem of the target in words, and stands nowhere. (SEC-02)"""
    for name in ("api", "mqtt"):
        caplog.set_level(logging.DEBUG, name)
    admin = await api.log_in("admin")
    made = (await admin.post("/outbound", json=target(mosquitto, password="WRONGSECRET"))).json()
    test = (await admin.post(f"/outbound/{made['target_id']}/test")).json()
    assert not test["delivered"]
    assert "authori" in test["words"].lower()
    texts = [(await admin.get("/outbound")).text, str(test), caplog.text]
    assert not any("WRONGSECRET" in text for text in texts)


@pytest.mark.parametrize("topic", ["a/#", "+/x", "", "/a", "a//b", "$SYS/x", "a b"])
async def test_a_topic_is_plain(api: Api, topic: str) -> None:
    """No wildcard and nothing that leaves the topic it was given."""
    admin = await api.log_in("admin")
    to = {"kind": "mqtt", "host": "127.0.0.1", "topic": topic}
    assert (await admin.post("/outbound", json={"name": "x", "to": to})).status_code == 422
