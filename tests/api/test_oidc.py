"""Login at a provider: bound to the browser that began it, believed only if signed for us now, by subject and never by name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr
from support.api import Api, Clock
from support.provider import CLIENT_ID, CLIENT_SECRET, Provider

from api.oidc import provider_of
from api.settings import Settings
from detector.errors import ConfigError

pytestmark = pytest.mark.anyio

ROLES = {"ops": "operator", "chiefs": "admin", "guests": "viewer"}


@pytest.fixture
def provider(clock: Clock) -> Iterator[Provider]:
    running = Provider(lambda: clock().timestamp())
    yield running
    running.close()


@pytest.fixture
def more_settings(provider: Provider) -> dict[str, Any]:
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": SecretStr(CLIENT_SECRET),
        "oidc_roles": ROLES,
        "public_url": "http://test",
    }


@pytest.fixture
async def browser(api: Api) -> httpx.AsyncClient:
    return await api.client(follow_redirects=False)


async def _go(browser: httpx.AsyncClient) -> str:
    """Begin at the service, log in at the provider; where the browser is sent back to."""
    begun = await browser.get("/session/oidc")
    assert begun.status_code == 303
    async with httpx.AsyncClient() as outside:
        return (await outside.get(begun.headers["location"])).headers["location"]


async def _log_in(browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.get(await _go(browser))


def _refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers["location"]) == (303, "/?login=refused") and (
        "watchpost_session" not in answer.cookies
    )


async def test_a_login_opens_a_session_with_the_role_of_its_group(
    api: Api, browser: httpx.AsyncClient, provider: Provider
) -> None:
    """The highest role of the groups counts; the session is like any other; the audit tells it; local logins stay."""
    assert (await browser.get("/session/ways")).json() == {"oidc": True}
    provider.claims["groups"] = ["guests", "ops", "others"]
    answer = await _log_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookies = answer.headers.get_list("set-cookie")
    assert any(
        "watchpost_session" in one and "HttpOnly" in one and "SameSite=strict" in one for one in cookies
    )
    me = {"name": "ann", "role": "operator", "must_change_password": False}
    assert (await browser.get("/session")).json() == me
    assert (await browser.post("/handovers", json={"note": "x"})).status_code == 403, "CSRF stays"
    admin = await api.log_in("admin")
    lines = (await admin.get("/audit", params={"who": "ann"})).json()["items"]
    assert [one["what"] for one in lines] == ["login"]
    assert [one["name"] for one in (await admin.get("/users")).json()] == ["admin", "ann"]


async def test_a_role_follows_its_group_at_each_login(
    api: Api, browser: httpx.AsyncClient, provider: Provider
) -> None:
    """Another group, another role, and the sessions with the old one end; no group, no login; a scope stays."""
    await _log_in(browser)
    admin = await api.log_in("admin")
    scope = {"role": "operator", "cameras": ["lawn"], "disabled": False}
    assert (await admin.put("/users/ann", json=scope)).status_code == 204
    await _log_in(browser)
    provider.claims["groups"] = "guests"  # some providers tell one group as a word
    again = await api.client(follow_redirects=False)
    await _log_in(again)
    assert (await again.get("/session")).json()["role"] == "viewer"
    assert (await browser.get("/session")).status_code == 401
    ann = next(one for one in (await admin.get("/users")).json() if one["name"] == "ann")
    assert (ann["role"], ann["cameras"]) == ("viewer", ["lawn"])
    provider.claims["groups"] = ["others"]
    assert _refused(await _log_in(again))
    provider.claims["groups"] = ["ops"]
    await admin.put("/users/ann", json=scope | {"disabled": True})
    assert _refused(await _log_in(again))


async def test_nobody_becomes_a_local_user_by_name_or_address(
    api: Api, browser: httpx.AsyncClient, provider: Provider
) -> None:
    """A name or e-mail address like a local one's makes an account of its own; the same subject stays the same account."""
    await api.log_in("admin")
    provider.claims |= {"preferred_username": "Admin", "email": "admin@example.org", "email_verified": True}
    await _log_in(browser)
    name = (await browser.get("/session")).json()["name"]
    assert name.startswith("admin-")
    provider.claims["preferred_username"] = "renamed"
    await _log_in(browser)
    assert (await browser.get("/session")).json()["name"] == name
    login = {"name": name, "password": "correct horse battery"}
    assert (await (await api.client()).post("/session", json=login)).status_code == 401
    provider.claims |= {"sub": "u-2", "preferred_username": "<script>\u202e"}
    await _log_in(browser)
    assert (await browser.get("/session")).json()["name"] == "script"


def _unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
        + "."
    )


def _by_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET.ljust(32)))


def _by_another(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048))


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another's"},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"iss": "http://elsewhere"},
        {"exp": 1},
        {"sub": ""},
        {"sub": "x" * 300},
        {"groups": {"ops": True}},
        {"groups": [["ops"], 7]},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_login_is_refused(
    browser: httpx.AsyncClient, provider: Provider, wrong: dict[str, Any]
) -> None:
    """Another nonce, audience, issuer, time or subject, and groups that are none: no session."""
    provider.claims |= wrong
    assert _refused(await _log_in(browser))


@pytest.mark.parametrize("forge", [_unsigned, _by_secret, _by_another, lambda _: "x.y.z", lambda _: ""])
async def test_a_forged_token_is_refused(
    browser: httpx.AsyncClient, provider: Provider, forge: Callable[[dict[str, Any]], str]
) -> None:
    """Unsigned, signed with the client's secret or with another key, or no token at all: no session. (SEC-05)"""
    provider.forge = forge
    assert _refused(await _log_in(browser))


async def test_a_login_belongs_to_the_browser_that_began_it(
    api: Api, browser: httpx.AsyncClient, clock: Clock
) -> None:
    """Another's way back, a changed or missing state, a code used twice, and a login that took too long: no session."""
    back, other = await _go(browser), await api.client(follow_redirects=False)
    assert _refused(await other.get(back))
    await _go(other)
    assert _refused(await other.get(back)), "begun here, but another login"
    assert (await browser.get(back)).headers["location"] == "/"
    assert _refused(await browser.get(back))
    back = await _go(browser)
    assert _refused(await browser.get(back.replace("state=", "state=x")))
    back = await _go(browser)
    browser.cookies.set(
        "watchpost_oidc", "a.b.c.99999999999.x", domain="test.local", path="/api/v1/session/oidc"
    )
    clock.pass_s(601)
    assert _refused(await browser.get(back))
    assert _refused(await browser.get("/session/oidc/callback"))


async def test_a_provider_that_is_away_or_calls_itself_otherwise_is_refused(
    browser: httpx.AsyncClient, provider: Provider
) -> None:
    """Another issuer in its document, an endpoint of another scheme, no answer: back to the login page."""
    provider.metadata = {"issuer": "http://elsewhere"}
    assert _refused(await browser.get("/session/oidc"))
    provider.metadata = {"authorization_endpoint": "javascript:alert(1)"}
    assert _refused(await browser.get("/session/oidc"))


@pytest.mark.parametrize("more_settings", [{}])
async def test_without_a_provider_there_is_no_such_login(api: Api) -> None:
    """Off by default: the page is told, and both addresses are 404."""
    client = await api.client()
    assert (await client.get("/session/ways")).json() == {"oidc": False}
    assert (await client.get("/session/oidc")).status_code == 404
    assert (await client.get("/session/oidc/callback")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"oidc_issuer": "http://login.example.org"}, "https"),
        ({"oidc_client_id": ""}, "WATCHPOST_OIDC_CLIENT_ID"),
        ({"oidc_roles": {}}, "WATCHPOST_OIDC_ROLES"),
        ({"public_url": ""}, "WATCHPOST_PUBLIC_URL"),
    ],
)
def test_settings_that_do_not_belong_together_stop_the_start(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    """A provider without TLS, client, roles or an address to come back to is told by name."""
    right = {"oidc_issuer": "https://login.example.org", "oidc_client_id": "w", "oidc_roles": ROLES}
    more = {"public_url": "https://watch.example.org", "data_dir": tmp_path}
    with pytest.raises(ConfigError, match=said):
        provider_of(Settings(**right | more | wrong))
