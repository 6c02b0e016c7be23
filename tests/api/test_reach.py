"""Which addresses the service connects to. Every spelling of an address is judged by where it leads."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime

import pytest
from support.api import Api
from support.hook import hook
from support.live_api import start_api

from api.outbound.message import test_note as a_test_note
from api.outbound.reach import Reach
from api.outbound.webhook import Webhook
from detector.errors import TargetUnreachable

pytestmark = pytest.mark.anyio


def _now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


KEY = "whsec_" + base64.b64encode(bytes(32)).decode()
LOOPBACK = (
    "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1",
    "2002:7f00:1::", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost",
)  # fmt: skip
PRIVATE = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1")
NEVER = ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
         "255.255.255.255", "240.0.0.1", "64:ff9b::a9fe:a9fe")  # fmt: skip


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE, *NEVER])
async def test_private_addresses_are_refused_in_every_spelling(host: str) -> None:
    """Without the setting neither loopback nor a private address is connected to, however it is written. (SEC-04)"""
    with pytest.raises(TargetUnreachable) as caught:
        await Reach(private=False).address(host, 80)
    assert "not allowed" in caught.value.text()


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
async def test_private_addresses_are_reached_where_a_setting_says_so(host: str) -> None:
    """With the setting they are connected to. (SEC-04)"""
    assert await Reach(private=True).address(host, 80)


@pytest.mark.parametrize("host", NEVER)
async def test_some_addresses_are_refused_whatever_the_settings_say(host: str) -> None:
    """Link-local, metadata, multicast, unspecified, reserved. (SEC-04)"""
    with pytest.raises(TargetUnreachable):
        await Reach(private=True).address(host, 80)


async def test_public_addresses_are_reached() -> None:
    """What is public is connected to."""
    for host in ("1.1.1.1", "2606:4700:4700::1111"):
        assert await Reach(private=False).address(host, 443) == host


async def test_the_service_itself_is_never_a_target() -> None:
    """By its own port, on each of its addresses, nothing is sent to the service. (SEC-04)"""
    reach = Reach(private=True, own_ports={8000})
    for host in ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"):
        assert await reach.address(host, 8001)
        with pytest.raises(TargetUnreachable, match="this service itself"):
            await reach.address(host, 8000)


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that is public at the first look and loopback at the next is looked up once for a connection. (SEC-04)"""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with hook() as receiver:
        sender = Webhook(f"http://hook.example:{receiver.port}/", KEY, Reach(True, (), rebinding), _now)
        await sender.send(a_test_note("k"))
        await sender.close()
        assert asked == ["hook.example"]
        assert receiver.came[0][0]["host"] == f"hook.example:{receiver.port}"
        again = Webhook(f"http://hook.example:{receiver.port}/", KEY, Reach(True, (), rebinding), _now)
        with pytest.raises(TargetUnreachable, match="not allowed"):
            await again.send(a_test_note("k"))
        await again.close()
        assert len(receiver.came) == 1


async def test_one_bad_address_of_a_name_is_enough() -> None:
    """A name with a public and a private address is refused. (SEC-04)"""

    async def both(_host: str, _port: int) -> list[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(TargetUnreachable):
        await Reach(False, (), both).address("hook.example", 80)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user@host@127.0.0.1/",
        "http://user:pw@1.1.1.1/",
        "http:///x",
        "http://1.1.1.1/a b",
        "http://1.1.1.1/\r\nX: y",
        "http://[::1",
        "http://127.0.0.1/",
        "http://[::ffff:127.0.0.1]:8000/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "http://localhost/",
    ],
)
async def test_a_webhook_address_that_is_not_allowed_is_told_when_it_is_typed(api: Api, url: str) -> None:
    """422 at once, without the address; nothing is stored. (SEC-04)"""
    admin = await api.log_in("admin")
    answer = await admin.post(
        "/outbound", json={"name": "x", "to": {"kind": "webhook", "url": url, "key": KEY}}
    )
    assert answer.status_code == 422
    assert (await admin.get("/outbound")).json() == []


async def test_a_running_service_knows_its_own_port(tmp_path, monkeypatch) -> None:
    """The address of the console is refused as a target even where loopback is allowed. (SEC-04)"""
    monkeypatch.setenv("WATCHPOST_OUTBOUND_PRIVATE", "true")
    live = await asyncio.to_thread(start_api, tmp_path)
    try:
        with live.log_in("admin") as admin:
            to = {"kind": "webhook", "url": f"{live.base_url}/api/v1/alerts", "key": KEY}
            answer = await asyncio.to_thread(admin.post, "/api/v1/outbound", json={"name": "x", "to": to})
        assert answer.status_code == 422
        assert "this service itself" in answer.json()["detail"]
    finally:
        await asyncio.to_thread(live.stop)
