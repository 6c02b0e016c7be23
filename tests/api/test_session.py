"""Login, sessions, CSRF, roles, passwords, worker tokens."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from support.alerts import alert_in
from support.api import PASSWORDS, Api, client_of

from api.app import create_app
from api.auth import (
    add_with_one_time_password,
    check_password,
    create_user,
    create_worker_token,
    first_start,
    set_password,
)
from api.settings import Settings
from detector.errors import ConfigError

pytestmark = pytest.mark.anyio
NEW = "seven grey bicycles"


async def test_the_session_cookie_is_out_of_reach(api: Api) -> None:
    """The session cookie is HttpOnly and SameSite=Strict; the CSRF cookie can be read by our page."""
    await api.log_in("admin")
    client = await api.client()
    answer = await client.post("/session", json={"name": "admin", "password": PASSWORDS["admin"]})
    cookies = {line.split("=")[0]: line.lower() for line in answer.headers.get_list("set-cookie")}
    assert "httponly" in cookies["watchpost_session"]
    assert "samesite=strict" in cookies["watchpost_session"]
    assert "httponly" not in cookies["watchpost_csrf"]
    assert answer.json() == {"name": "admin", "role": "admin", "must_change_password": False}


async def test_a_stored_session_opens_nothing(api: Api) -> None:
    """What the database holds of a session or a token cannot be used as one."""
    client = await api.log_in()
    async with api.service.store.database.reading() as connection:
        stored = (await connection.exec_driver_sql("SELECT token_hash FROM sessions")).scalar_one()
        token = (await connection.exec_driver_sql("SELECT token_hash FROM worker_tokens")).scalar_one()
    assert stored != client.cookies["watchpost_session"]
    thief = await api.client(
        cookies={"watchpost_session": stored}, headers={"Authorization": f"Bearer {token}"}
    )
    assert (await thief.get("/session")).status_code == 401
    assert (await thief.post("/heartbeat", json={})).status_code == 401


@pytest.mark.parametrize(("name", "password"), [("operator", "wrong"), ("nobody", PASSWORDS["operator"])])
async def test_a_wrong_name_and_a_wrong_password_look_alike(api: Api, name: str, password: str) -> None:
    """The answer does not tell which of the two was wrong."""
    await api.log_in("operator")
    client = await api.client()
    answer = await client.post("/session", json={"name": name, "password": password})
    assert (answer.status_code, answer.json()) == (401, {"detail": "name and password do not fit"})
    assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_for_the_guesser_only(api: Api) -> None:
    """Ten failures of a name from an address: 429 for five minutes there, and nowhere else. (SEC-09)"""
    await api.log_in("operator")
    client = await api.client()

    async def guess(password: str = "wrong") -> Any:
        return await client.post("/session", json={"name": "operator", "password": password})

    assert [(await guess()).status_code for _ in range(10)] == [401] * 10
    refused = await guess(PASSWORDS["operator"])
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 301
    assert await api.service.guard.log_in("operator", PASSWORDS["operator"], "192.0.2.7") is not None
    api.clock.pass_s(301)
    assert (await guess(PASSWORDS["operator"])).status_code == 200


async def test_the_throttle_remembers_a_bounded_number(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of made-up names does not grow memory."""
    monkeypatch.setattr("api.auth._MAX_WATCHED", 5)
    await api.log_in()
    for number in range(12):
        api.service.guard._failed(f"name{number}", "192.0.2.7")
    assert len(api.service.guard._failures) == 5


async def test_a_write_needs_the_csrf_header(api: Api) -> None:
    """A state change without the header, or with another value, is 403; reading needs none."""
    await api.send()
    client, path = await api.log_in(), f"/alerts/{alert_in().alert_id}/verdict"
    for value in ("", "x", client.cookies["watchpost_csrf"] + "x"):
        client.headers["X-Watchpost-CSRF"] = value
        assert (await client.post(path, json={"verdict": "true"})).status_code == 403
        assert (await client.delete("/session")).status_code == 403
    assert (await client.get("/alerts")).status_code == 200


async def test_a_session_ends_by_itself_and_by_log_out(api: Api) -> None:
    """After 12 hours, and after log-out, the cookie opens nothing."""
    first, second = await api.log_in(), await api.log_in()
    cookie = dict(first.cookies)
    assert (await first.delete("/session")).status_code == 204
    thief = await api.client(cookies=cookie)
    assert (await thief.get("/session")).status_code == 401
    assert (await second.get("/session")).status_code == 200
    api.clock.pass_s(12 * 3600)
    assert (await second.get("/session")).status_code == 401


async def test_a_one_time_password_opens_only_the_change_of_it(api: Api) -> None:
    """The first administrator can do nothing before choosing a password, and everything after. (SEC-09)"""
    store = api.service.store
    password = await first_start(store)
    assert password is not None
    assert await first_start(store) is None
    client = await api.client()
    me = (await client.post("/session", json={"name": "admin", "password": password})).json()
    assert me["must_change_password"] is True
    client.headers["X-Watchpost-CSRF"] = client.cookies["watchpost_csrf"]
    assert (await client.get("/alerts")).status_code == 403
    assert (await client.get("/feed")).status_code == 403
    assert (await client.get("/session")).status_code == 200
    answer = await client.post("/session/password", json={"old": password, "new": NEW})
    assert answer.json() == {"name": "admin", "role": "admin", "must_change_password": False}
    assert (await client.get("/alerts")).status_code == 200


async def test_a_new_password_ends_the_other_sessions(api: Api) -> None:
    """Whoever knew the old password is out; the one who changed it goes on with new cookies. (SEC-05)"""
    mine, other = await api.log_in(), await api.log_in()
    old = PASSWORDS["operator"]
    assert (await mine.post("/session/password", json={"old": "wrong", "new": NEW})).status_code == 403
    assert (await mine.post("/session/password", json={"old": old, "new": old})).status_code == 422
    before = mine.cookies["watchpost_session"]
    assert (await mine.post("/session/password", json={"old": old, "new": NEW})).status_code == 200
    assert mine.cookies["watchpost_session"] != before
    assert (await mine.get("/alerts")).status_code == 200
    assert (await other.get("/alerts")).status_code == 401


async def test_a_wrong_old_password_counts_as_a_failed_login(api: Api) -> None:
    """An open session does not allow guessing the password without limit."""
    client = await api.log_in()
    codes = [
        (await client.post("/session/password", json={"old": f"wrong{n}", "new": NEW})).status_code
        for n in range(11)
    ]
    assert codes == [403] * 10 + [429]


async def test_a_viewer_gives_no_verdict(api: Api) -> None:
    """A verdict needs the role operator or admin."""
    await api.send()
    path = f"/alerts/{alert_in().alert_id}/verdict"
    for role, code in (("viewer", 403), ("operator", 200), ("admin", 200)):
        client = await api.log_in(role)
        assert (await client.post(path, json={"verdict": "true"})).status_code == code


@pytest.mark.parametrize(
    "password",
    [
        "admin",
        "abc",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "my password here",
        "watchpost-2026",
        "margaret-is-me",
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(password: str) -> None:
    """Short, repetitive and obvious passwords are ConfigErrors that do not show them. (SEC-09)"""
    with pytest.raises(ConfigError) as caught:
        check_password("margaret", password)
    assert password not in str(caught.value)


async def test_users_are_made_whole_or_not_at_all(api: Api) -> None:
    """A bad name, a bad role, a taken name and an unknown name are told."""
    store = api.service.store
    await create_user(store, "eve", NEW, "viewer")
    for name, role in (("eve", "viewer"), ("eve2", "root"), ("<b>", "viewer"), ("", "viewer")):
        with pytest.raises(ConfigError):
            await create_user(store, name, NEW, role)
    with pytest.raises(ConfigError):
        await set_password(store, "nobody", NEW)
    await set_password(store, "eve", NEW + "!", must_change=True)
    assert await api.service.guard.log_in("eve", NEW, "") is None
    assert (await add_with_one_time_password(store, "bob", "viewer")) != ""


async def test_passwords_are_hashed_at_the_recommended_cost(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored password is argon2id with at least 64 MiB and three passes (RFC 9106, low memory)."""
    monkeypatch.undo()
    await create_user(api.service.store, "eve", NEW, "viewer")
    user = await api.service.store.people.find("eve")
    assert user is not None
    assert user.password_hash.startswith("$argon2id$v=19$m=65536,t=3,")


async def test_a_replaced_worker_token_stops_working(api: Api) -> None:
    """A new token of the same name replaces the old one; a fresh service knows only the new one."""
    assert (await api.send()).status_code == 201
    new = await create_worker_token(api.service.store, "test-worker")
    api.service.guard._workers.clear()
    assert new.startswith("wp_")
    assert (await api.send(1)).status_code == 401
    api.worker.headers["Authorization"] = f"Bearer {new}"
    assert (await api.send(1)).status_code == 201
    for wrong in (f"Basic {new}", new, "Bearer", "Bearer ", ""):
        api.worker.headers["Authorization"] = wrong
        assert (await api.send(2)).status_code == 401


async def test_no_secret_is_repeated_or_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong bodies are answered without what was sent; logs hold no password, token or cookie. (SEC-02)"""
    caplog.set_level(logging.DEBUG)
    client = await api.client()
    secret = "S3cr3t-p@ss" * 40
    answer = await client.post("/session", json={"name": "x", "password": secret, "more": secret})
    assert answer.status_code == 422
    assert "S3cr3t" not in answer.text
    await client.post("/session", json={"name": "x", "password": "S3cr3t-p@ss"})
    person = await api.log_in()
    for value in ("S3cr3t", api.token, PASSWORDS["operator"], person.cookies["watchpost_session"]):
        assert value not in caplog.text


def _signed(header: dict[str, str], key: str) -> str:
    """A web token for the administrator, signed as libraries with a key do it."""
    told = {"sub": "admin", "role": "admin", "exp": 4_102_444_800}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, told)]
    mark = hmac.new(key.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, urlsafe_b64encode(mark).decode().rstrip("=") if header["alg"] != "none" else ""])


async def test_no_session_can_be_forged(api: Api) -> None:
    """There is no signing key to guess: tokens signed with usual keys, unsigned, empty or ended are 401 everywhere. (SEC-05)"""
    client = await api.log_in("admin")
    ended = client.cookies["watchpost_session"]
    await client.delete("/session")
    forged = [_signed({"alg": "HS256", "typ": "JWT"}, key) for key in ("secret", "changeme", "", "watchpost")]
    forged += [_signed({"alg": "none", "typ": "JWT"}, ""), ended, "", "admin", "1", "0" * 64]
    for token in forged:
        for where in (
            {"cookies": {"watchpost_session": token}},
            {"headers": {"Authorization": f"Bearer {token}"}},
        ):
            thief = await api.client(**where)
            for path in ("/session", "/alerts", "/users", "/audit", "/feed"):
                assert (await thief.get(path)).status_code == 401
            assert (await thief.post("/heartbeat", json={})).status_code == 401


async def test_two_installations_share_no_secret(api: Api, tmp_path: Path) -> None:
    """A session and a token of one service open nothing on another with the same people. (SEC-05)"""
    mine = await api.log_in("admin")
    app = create_app(Settings(data_dir=tmp_path / "other"), clock=api.clock, elapsed_s=api.clock.elapsed)
    async with app.router.lifespan_context(app):
        assert await first_start(app.state.service.store) is not None
        async with client_of(app, cookies=dict(mine.cookies)) as thief:
            assert (await thief.get("/session")).status_code == 401
        async with client_of(app, headers={"Authorization": f"Bearer {api.token}"}) as worker:
            assert (await worker.post("/heartbeat", json={})).status_code == 401


async def test_no_account_works_before_the_first_start(api: Api) -> None:
    """On a new service no name and no usual password logs in. (SEC-09)"""
    client = await api.client()
    for name in ("admin", "root", "operator", "watchpost"):
        for password in ("admin", "password", "watchpost", "123", name):
            answer = await client.post("/session", json={"name": name, "password": password})
            assert answer.status_code in (401, 429)
