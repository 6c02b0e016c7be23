"""Cameras: what workers say, what people see, and that silence is never taken for health."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.api import Api

from api.app import _tell_silent_workers
from api.db.session import AlertNews, News
from api.schemas import CameraOut
from detector.errors import StorageError

pytestmark = pytest.mark.anyio

LAWN: dict[str, Any] = {
    "camera_id": "lawn",
    "name": "Lawn <b>north</b>",
    "timezone": "Europe/Berlin",
    "width": 768,
    "height": 576,
    "zones": [{"name": "grass", "polygon": [[0, 0], [1, 0], [1, 1]]}],
    "rules": [{"rule": "gathering", "zone": "grass", "params": {"min_people": 4, "hold_s": 20.0}}],
}


def _pulse(state: str = "online", reason: str = "", n_people: int = 3) -> dict[str, Any]:
    health = {
        "camera_id": "lawn",
        "state": state,
        "reason": reason,
        "n_decoded": 100,
        "n_analysed": 50,
        "n_dropped": 2,
        "coverage": 0.9,
        "n_people": n_people,
    }
    return {
        "worker_id": "w1",
        "at": "2020-01-01T00:00:00Z",
        "n_outbox": 0,
        "n_refused": 0,
        "cameras": [health],
    }


async def test_a_camera_is_shown_as_its_worker_tells(api: Api) -> None:
    """Registration and pulse come back whole; the pulse is dated by the service's own clock."""
    assert (await api.worker.put("/cameras/lawn", json=LAWN)).status_code == 204
    assert (await api.worker.post("/heartbeat", json=_pulse())).status_code == 204
    reader = await api.log_in("viewer")
    (camera,) = (await reader.get("/cameras")).json()
    assert {name: camera[name] for name in LAWN} == LAWN
    assert (camera["state"], camera["seen_at"], camera["n_people"]) == ("online", "2026-03-01T12:30:00Z", 3)
    assert (await api.worker.put("/cameras/roof", json=LAWN)).status_code == 422


async def test_the_word_for_a_cameras_trouble_is_kept(api: Api) -> None:
    """As its worker tells it; "no_worker" when nobody tells anything; a word that is not known is refused."""
    reader = await api.log_in()

    async def trouble() -> str:
        (camera,) = (await reader.get("/cameras")).json()
        return str(camera["trouble"])

    await api.worker.put("/cameras/lawn", json=LAWN)
    assert await trouble() == "no_worker"
    offline = _pulse("offline", "cam: the login was refused")
    offline["cameras"][0]["trouble"] = "auth_failed"
    await api.worker.post("/heartbeat", json=offline)
    assert await trouble() == "auth_failed"
    await api.worker.post("/heartbeat", json=_pulse())  # a worker that does not know the word
    assert await trouble() == ""
    offline["cameras"][0]["trouble"] = "tired"
    assert (await api.worker.post("/heartbeat", json=offline)).status_code == 422
    api.clock.pass_s(21)
    assert await trouble() == "no_worker"


async def test_a_line_is_a_zone_of_two_corners(api: Api) -> None:
    """Two corners are a line and come back as such; one corner is refused and changes nothing."""
    door = {"name": "door", "polygon": [[0.2, 0.5], [0.8, 0.5]]}
    assert (await api.worker.put("/cameras/lawn", json=LAWN | {"zones": [door]})).status_code == 204
    short = {"name": "door", "polygon": [[0.2, 0.5]]}
    assert (await api.worker.put("/cameras/lawn", json=LAWN | {"zones": [short]})).status_code == 422
    reader = await api.log_in("viewer")
    assert (await reader.get("/cameras")).json()[0]["zones"] == [door]


async def test_a_silent_worker_makes_its_cameras_offline(api: Api) -> None:
    """Twenty seconds without a pulse and the camera is offline; what the next pulse says counts again."""
    await api.worker.post("/heartbeat", json=_pulse())
    reader = await api.log_in()

    async def state() -> tuple[str, str]:
        (camera,) = (await reader.get("/cameras")).json()
        return camera["state"], camera["reason"]

    api.clock.pass_s(20)
    assert await state() == ("online", "")
    api.clock.pass_s(1)
    assert await state() == ("offline", "worker silent since 2026-03-01 12:30:00Z")
    await api.worker.post("/heartbeat", json=_pulse("offline", "no route"))
    assert await state() == ("offline", "no route")
    await api.worker.post("/heartbeat", json=_pulse("ended", "the file ended"))
    api.clock.pass_s(3600)
    assert await state() == ("ended", "the file ended")


async def test_a_removed_camera_is_told_as_such(api: Api) -> None:
    """It stays listed for its alerts, never turns silent, and is watched again when a worker says so."""
    await api.worker.put("/cameras/lawn", json=LAWN)
    reader = await api.log_in()

    async def state() -> tuple[str, str]:
        (camera,) = (await reader.get("/cameras")).json()
        return camera["state"], camera["reason"]

    await api.worker.post("/heartbeat", json=_pulse())
    await api.worker.post("/heartbeat", json=_pulse("removed", "no longer in the site file"))
    api.clock.pass_s(3600)
    assert await state() == ("removed", "no longer in the site file")
    assert (await api.send(camera_id="lawn")).status_code == 201
    await api.worker.post("/heartbeat", json=_pulse())
    assert await state() == ("online", "")


async def test_listeners_are_told_of_a_silent_worker(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written when a worker dies, yet the consoles hear that its cameras are offline, once."""
    monkeypatch.setattr("api.app._WATCH_S", 0.005)
    await api.worker.post("/heartbeat", json=_pulse())
    looks, found = 0, asyncio.Event()
    read = api.service.store.cameras.all

    async def counted() -> list[CameraOut]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise StorageError("busy")  # must not end the watch
        if looks > 4:
            found.set()
        cameras = await read()
        api.clock.pass_s(15)
        return cameras

    monkeypatch.setattr(type(api.service.store.cameras), "all", lambda _self: counted())
    listener = api.service.feed.listen()
    watch = asyncio.create_task(_tell_silent_workers(api.service.store, api.service.feed))
    async with asyncio.timeout(10):
        await found.wait()
    watch.cancel()
    message = listener.queue.get_nowait()
    assert message is not None
    assert b"worker silent since" in message.chunk
    assert listener.queue.empty()


async def test_a_camera_that_never_spoke_is_not_online(api: Api) -> None:
    """A camera known only by its registration is offline and says so."""
    await api.worker.put("/cameras/lawn", json=LAWN)
    reader = await api.log_in()
    (camera,) = (await reader.get("/cameras")).json()
    assert (camera["state"], camera["reason"]) == ("offline", "no pulse from a worker yet")


async def test_the_newest_picture_is_served(api: Api) -> None:
    """The tile shows the last picture put; before one came it is 404."""
    await api.worker.put("/cameras/lawn", json=LAWN)
    reader = await api.log_in()
    assert (await reader.get("/cameras/lawn/picture")).status_code == 404
    assert (await reader.get("/cameras/roof/picture")).status_code == 404
    for body in (b"first", b"second"):
        assert (await api.worker.put("/cameras/lawn/picture", content=body)).status_code == 204
        api.clock.pass_s(1)
    answer = await reader.get("/cameras/lawn/picture")
    assert (answer.content, answer.headers["content-type"]) == (b"second", "image/jpeg")
    etag = answer.headers["etag"]
    assert (await reader.get("/cameras/lawn/picture", headers={"If-None-Match": etag})).status_code == 304
    assert (await reader.head("/cameras/lawn/picture")).status_code == 200


async def test_only_what_looks_different_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse that changes nothing to see is not sent to every console; a change is, once."""
    told: list[News] = []
    monkeypatch.setattr(api.service.store.database, "_publish", told.extend)
    for n_people in (3, 3, 4):
        await api.worker.post("/heartbeat", json=_pulse(n_people=n_people))
    await api.send()
    assert [one.n_people for one in told if not isinstance(one, AlertNews)] == [3, 4]
    assert isinstance(told[-1], AlertNews)
