"""Who may do what: every route, by role, on an own and on another's camera; what a scope hides; what its change ends.

`pytest tests/api/test_scope.py -k roles -o log_cli=true -o log_cli_level=INFO -o log_cli_format='%(message)s'` shows the table.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from support.alerts import alert_in
from support.api import PASSWORDS, QUICK, Api
from support.listening import Reader

from api.deps import (
    require_admin,
    require_person,
    require_reviewer,
    require_session,
    visible_alert,
    visible_camera,
)
from api.feed import FeedResponse, Source
from api.routes import feed as feed_route
from api.schemas_people import Rights

log = logging.getLogger(__name__)

pytestmark = pytest.mark.anyio

OWN, OTHERS = "lawn", "gate"
MINE, THEIRS = alert_in(0).alert_id, alert_in(1).alert_id

# "scoped" is an operator, "scoped_viewer" a viewer, who may see OWN only.
PEOPLE = ("admin", "operator", "viewer", "scoped", "scoped_viewer")


async def person(api: Api, name: str) -> httpx.AsyncClient:
    """A client logged in as one of PEOPLE."""
    if name not in api.people:
        role = {"scoped": "operator", "scoped_viewer": "viewer"}.get(name, name)
        rights = Rights.model_validate(
            {"role": role, "cameras": [OWN] if name.startswith("scoped") else None}
        )
        await api.service.store.people.add(name, rights, QUICK.hash(PASSWORDS[role]), False, "test")
        api.people.add(name)
    client = await api.client()
    password = PASSWORDS[{"scoped": "operator", "scoped_viewer": "viewer"}.get(name, name)]
    answer = await client.post("/session", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["X-Watchpost-CSRF"] = client.cookies["watchpost_csrf"]
    return client


async def two_cameras(api: Api) -> None:
    """An alert with all its evidence and a picture of each of two cameras."""
    for number, camera in enumerate((OWN, OTHERS)):
        await api.send(number, camera_id=camera)
        for kind in ("clip", "snapshot", "overlay"):
            url, digest = (
                f"/alerts/{alert_in(number).alert_id}/media/{kind}",
                hashlib.sha256(b"x").hexdigest(),
            )
            await api.worker.put(url, content=b"x", headers={"X-Content-SHA256": digest})
        jpeg = {"Content-Type": "image/jpeg"}
        assert (
            await api.worker.put(f"/cameras/{camera}/picture", content=b"x", headers=jpeg)
        ).status_code == 204


def _needs(route: APIRoute) -> set[Any]:
    """Every dependency of a route, however deep."""
    found, open_ones = set(), [route.dependant]
    while open_ones:
        one = open_ones.pop()
        found.add(one.call)
        open_ones += one.dependencies
    return found


async def test_no_route_with_an_id_forgets_the_scope(api: Api) -> None:
    """Each route of people with an alert or a camera in its address takes it through the guard of scopes. (SEC-06)"""
    looked = 0
    for context in iter_route_contexts(api.app.routes):
        route, path = context.original_route, context.path or ""
        if not isinstance(route, APIRoute) or not ("{alert_id}" in path or "{camera_id}" in path):
            continue
        if route.endpoint.__module__ == "api.routes.worker":
            continue
        guard = visible_alert if "{alert_id}" in path else visible_camera
        assert {guard, require_person} <= _needs(route), f"{path} does not look at the scope"
        looked += 1
    assert looked >= 15


ROUTES: list[tuple[str, str, Any, str]] = [  # method, path, body, who may: viewer, operator, admin
    ("GET", "/alerts/{alert}", None, "viewer"),
    ("GET", "/alerts/{alert}/clip", None, "viewer"),
    ("HEAD", "/alerts/{alert}/clip", None, "viewer"),
    ("GET", "/alerts/{alert}/snapshot", None, "viewer"),
    ("GET", "/alerts/{alert}/overlay", None, "viewer"),
    ("GET", "/alerts/{alert}/bundle", None, "operator"),
    ("GET", "/alerts/{alert}/view", None, "viewer"),
    ("POST", "/alerts/{alert}/reveal", {"reason": "to see better"}, "operator"),
    ("PUT", "/cases/77/alerts/{alert}", None, "operator"),
    ("DELETE", "/cases/77/alerts/{alert}", None, "operator"),
    ("GET", "/cases", None, "operator"),
    ("POST", "/cases", {}, "operator"),
    ("GET", "/cases/77", None, "operator"),
    ("PUT", "/cases/77", {"name": "a"}, "operator"),
    ("GET", "/cases/77/bundle", None, "operator"),
    ("GET", "/privacy", None, "admin"),
    ("PUT", "/privacy", {"blurred": []}, "admin"),
    ("GET", "/cameras/{camera}/picture", None, "viewer"),
    ("HEAD", "/cameras/{camera}/picture", None, "viewer"),
    ("GET", "/cameras/{camera}/configuration", None, "viewer"),
    ("PUT", "/cameras/{camera}/configuration", {"based_on": 0, "configuration": None}, "admin"),
    ("POST", "/cameras/{camera}/what-if", {}, "admin"),
    ("POST", "/alerts/{alert}/claim", {"take_over": True}, "operator"),
    ("POST", "/alerts/{alert}/notes", {"note": "a"}, "operator"),
    ("PUT", "/alerts/{alert}/hold", None, "operator"),
    ("DELETE", "/alerts/{alert}/hold", None, "operator"),
    ("DELETE", "/alerts/{alert}/claim", None, "operator"),
    ("POST", "/alerts/{alert}/verdict", {"verdict": "true"}, "operator"),
    ("POST", "/alerts/{alert}/reopen", {}, "operator"),
    ("GET", "/handovers", None, "operator"),
    ("POST", "/handovers", {"note": "a"}, "operator"),
    ("GET", "/users", None, "admin"),
    ("PUT", "/users/nobody", {"role": "viewer", "disabled": True}, "admin"),
    ("POST", "/users/nobody/password", None, "admin"),
    ("POST", "/users", {"name": "admin", "role": "viewer"}, "admin"),
    ("GET", "/tokens", None, "admin"),
    ("POST", "/tokens", {"name": "w"}, "admin"),
    ("DELETE", "/tokens/nobody", None, "admin"),
    ("GET", "/audit", None, "admin"),
    ("GET", "/outbound", None, "admin"),
    ("POST", "/outbound", {}, "admin"),
    ("PUT", "/outbound/77", {}, "admin"),
    ("DELETE", "/outbound/77", None, "admin"),
    ("POST", "/outbound/77/test", None, "admin"),
    ("GET", "/outbound/77/log", None, "admin"),
]
# Nothing of one camera is in their address; what they list is looked at below, and sessions in test_session.py.
LISTS = {
    ("GET", "/alerts"),
    ("GET", "/alerts/load"),
    ("POST", "/alerts/close"),
    ("GET", "/cameras"),
    ("GET", "/deletions"),
    ("GET", "/feed"),
    ("POST", "/handovers/*/taken"),
    ("GET", "/stats/insights"),
    ("GET", "/stats/service"),
    ("GET", "/session"),
    ("DELETE", "/session"),
    ("POST", "/session/password"),
}
_GUARDS = {require_session, require_person, require_reviewer, require_admin}
RANK = {"viewer": 0, "scoped_viewer": 0, "operator": 1, "scoped": 1, "admin": 2}


def _bare(path: str) -> str:
    """A path with a star for whatever is a name or a number in it."""
    return re.sub(r"\{\w+\}|nobody|\b77\b", "*", path.removeprefix("/api/v1"))


async def test_a_new_route_is_in_the_matrix(api: Api) -> None:
    """Every route that asks for a person is in the matrix or among the lists that are looked at one by one. (SEC-06)"""
    known = {(method, _bare(path)) for method, path, _, _ in ROUTES} | LISTS
    for context in iter_route_contexts(api.app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.endpoint.__module__ == "api.routes.worker":
            continue
        asks = any(one.dependency in _GUARDS for one in route.dependencies) or bool(_needs(route) & _GUARDS)
        for method in (context.methods or set()) - {"HEAD"}:
            told = (method, _bare(context.path or ""))
            assert not asks or told in known, f"{told} is in no test of who may do what"


async def test_the_matrix_of_routes_roles_and_cameras(api: Api) -> None:
    """Every route and role on an own and on another camera: 403 by role, 404 by scope, else done; all logged (SEC-06)."""
    await two_cameras(api)
    clients = {name: await person(api, name) for name in PEOPLE}
    log.info(f"{'route':44} " + " ".join(f"{name:>15}" for name in PEOPLE) + "   (own/other's camera)")
    for method, path, body, least in ROUTES:
        shown = []
        for name, client in clients.items():
            codes = []
            for alert, camera in ((MINE, OWN), (THEIRS, OTHERS)):
                url = path.format(alert=alert, camera=camera)
                answer = await client.request(method, url, json=body)
                codes.append(answer.status_code)
                hidden = name.startswith("scoped") and camera == OTHERS and "{" in path
                if RANK[name] < RANK[least]:
                    wanted = {403, 404} if hidden else {403}
                elif hidden:
                    wanted = {404}
                else:
                    wanted = {200, 201, 204, 409} | (
                        {404, 422}
                        if any(name in path for name in ("nobody", "outbound", "what-if", "cases"))
                        else set()
                    )
                assert answer.status_code in wanted, f"{method} {url} as {name}: {answer.status_code}"
            shown.append("/".join(map(str, codes)))
        log.info(f"{method + ' ' + path:44} " + " ".join(f"{one:>15}" for one in shown))


async def test_lists_and_counts_hold_only_what_may_be_seen(api: Api) -> None:
    """Lists, filters, the log of deletions, closing many and the notes of shifts name nothing of another's camera. (SEC-06)"""
    await two_cameras(api)
    scoped, admin = await person(api, "scoped"), await person(api, "admin")
    for query in ({}, {"camera_id": OTHERS}, {"camera_id": OWN}, {"limit": 1}, {"verdict": "none"}):
        page = (await scoped.get("/alerts", params=query)).json()
        assert {item["camera_id"] for item in page["items"]} <= {OWN}
        assert page["next"] is None
    assert [one["camera_id"] for one in (await scoped.get("/cameras")).json()] == [OWN]
    counts = [(await client.get("/alerts/load")).json()["shown"] for client in (scoped, admin)]
    assert counts == [1, 2]
    assert OTHERS not in (await scoped.get("/stats/insights")).text
    assert OTHERS in (await admin.get("/stats/insights")).text
    for media in api.service.settings.media_dir.rglob("clip.mp4"):
        media.unlink()
    api.clock.pass_s(7200)
    await api.service.retention.step()
    gone = {
        name: (await client.get("/deletions")).json()["items"]
        for name, client in (("s", scoped), ("a", admin))
    }
    assert {one["camera_id"] for one in gone["s"]} == {OWN}
    assert {one["camera_id"] for one in gone["a"]} == {OWN, OTHERS}
    close = {"alert_ids": [str(THEIRS)], "verdict": {"verdict": "true"}}
    answer = (await scoped.post("/alerts/close", json=close)).json()
    assert answer == {"n_closed": 0, "left": [{"alert_id": str(THEIRS), "reason": "no such alert"}]}
    await admin.post("/handovers", json={"note": "something at the gate"})
    await scoped.post("/handovers", json={"note": "nothing on the lawn"})
    assert [one["note"] for one in (await scoped.get("/handovers")).json()] == ["nothing on the lawn"]
    assert len((await admin.get("/handovers")).json()) == 2
    hidden = (await admin.get("/handovers")).json()[1]["handover_id"]
    assert (await scoped.post(f"/handovers/{hidden}/taken")).status_code == 404


async def test_the_feed_tells_only_of_own_cameras(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was missed and what comes, alerts and cameras: none of another's; pings go on while others' news pass. (SEC-06)"""
    await two_cameras(api)
    made: list[FeedResponse] = []

    def keep(feed: Any, source: Source, last: int | None) -> FeedResponse:
        made.append(FeedResponse(feed, source, last))
        raise _Kept

    monkeypatch.setattr(feed_route, "FeedResponse", keep)
    scoped = await person(api, "scoped")
    with pytest.raises(_Kept):
        await scoped.get("/feed", headers={"Last-Event-ID": "0"})
    api.service.feed.ping_s = 0.01
    reader = Reader(made[0])
    await reader.until(lambda r: "event: ready" in r.text)
    await api.send(2, camera_id=OTHERS)
    await reader.until(lambda r: ": ping" in r.text)
    await api.worker.put("/cameras/gate", json=_camera(OTHERS))
    await api.send(3, camera_id=OWN)
    await reader.until(lambda r: str(alert_in(3).alert_id) in r.text)
    cameras = {
        json.loads(line[6:])["camera_id"] for line in reader.text.split("\n") if line.startswith('data: {"')
    }
    assert cameras == {OWN}
    reader.left.set()
    await reader.end()


class _Kept(Exception):
    """The stream is run by the test."""


def _camera(camera_id: str) -> dict[str, Any]:
    size = {"width": 640, "height": 360, "zones": [], "rules": []}
    return {"camera_id": camera_id, "name": camera_id, "timezone": "UTC"} | size


async def test_a_changed_right_ends_sessions_and_streams(api: Api) -> None:
    """A new scope, a new role, disabling and a reset end what is open; a stream ends at its next check. (SEC-06, SEC-05)"""
    admin = await person(api, "admin")
    changes: list[tuple[str, str, Any]] = [
        ("PUT", "/users/scoped", {"role": "operator", "cameras": [OTHERS], "disabled": False}),
        ("PUT", "/users/scoped", {"role": "viewer", "cameras": [OWN], "disabled": False}),
        ("PUT", "/users/scoped", {"role": "operator", "cameras": None, "disabled": True}),
    ]
    for method, path, body in changes:
        client = await person(api, "scoped")
        session = await api.service.guard.session(client.cookies["watchpost_session"])
        assert session is not None
        assert await api.service.guard.alive(session)
        assert (await admin.request(method, path, json=body)).status_code == 204
        assert not await api.service.guard.alive(session)
        assert (await client.get("/alerts")).status_code == 401
    client = await api.client()
    login = {"name": "scoped", "password": PASSWORDS["operator"]}
    assert (await client.post("/session", json=login)).json() == {"detail": "name and password do not fit"}
    body = {"role": "operator", "cameras": None, "disabled": False}
    assert (await admin.put("/users/scoped", json=body)).status_code == 204
    client = await person(api, "scoped")
    one_time = (await admin.post("/users/scoped/password")).json()["one_time_password"]
    assert (await client.get("/alerts")).status_code == 401
    assert (await client.post("/session", json=login)).status_code == 401
    again = await client.post("/session", json=login | {"password": one_time})
    assert again.json()["must_change_password"] is True


async def test_people_are_added_with_what_they_may_see(api: Api) -> None:
    """An admin adds, lists and scopes; a taken name is 409, an admin with a scope 422; no secret is listed."""
    admin = await person(api, "admin")
    made = await admin.post("/users", json={"name": "eve", "role": "viewer", "cameras": [OWN]})
    assert made.status_code == 201
    password = made.json()["one_time_password"]
    listed = await admin.get("/users")
    assert password not in listed.text
    assert "hash" not in listed.text
    assert [(one["name"], one["role"], one["cameras"]) for one in listed.json()] == [
        ("admin", "admin", None),
        ("eve", "viewer", [OWN]),
    ]
    assert (await admin.post("/users", json={"name": "eve", "role": "viewer"})).status_code == 409
    for wrong in (
        {"name": "x", "role": "admin", "cameras": [OWN]},
        {"name": "x", "role": "root"},
        {"name": "<b>", "role": "viewer"},
        {"name": "x", "role": "viewer", "cameras": ["../x"]},
    ):
        assert (await admin.post("/users", json=wrong)).status_code == 422
    assert (await admin.put("/users/x", json={"role": "viewer", "disabled": False})).status_code == 404


async def test_an_administrator_always_remains(api: Api) -> None:
    """The last who can administer is neither disabled nor made less; with a second one they may be."""
    admin = await person(api, "admin")
    less: list[dict[str, Any]] = [{"role": "viewer", "disabled": False}, {"role": "admin", "disabled": True}]
    for change in less:
        assert (await admin.put("/users/admin", json=change)).status_code == 409
    await admin.post("/users", json={"name": "second", "role": "admin"})
    codes = await asyncio.gather(*(admin.put(f"/users/{name}", json=less[1]) for name in ("admin", "second")))
    assert sorted(one.status_code for one in codes) in ([204, 401], [204, 409])


async def test_tokens_are_made_and_ended(api: Api) -> None:
    """A token is shown once; ended, it opens nothing as soon as the service's memory of it is over."""
    admin = await person(api, "admin")
    made = (await admin.post("/tokens", json={"name": "edge-2"})).json()
    worker = await api.client(headers={"Authorization": f"Bearer {made['token']}"})
    pulse = {"worker_id": "w", "at": "2026-03-01T12:00:00Z", "n_outbox": 0, "n_refused": 0, "cameras": []}
    assert (await worker.post("/heartbeat", json=pulse)).status_code == 204
    listed = await admin.get("/tokens")
    assert [one["name"] for one in listed.json()] == ["edge-2", "test-worker"]
    assert made["token"] not in listed.text
    assert (await admin.delete("/tokens/edge-2")).status_code == 204
    assert (await admin.delete("/tokens/edge-2")).status_code == 404
    assert (await worker.post("/heartbeat", json=pulse)).status_code == 401
