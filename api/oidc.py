"""Login at an OpenID Connect provider: the one file that speaks to it and believes what it says.

Authorization code with PKCE. What a login was begun with stands in a signed cookie of the browser that began it, so nothing
is kept here that others could fill up; it is over after ten minutes. Whose login it is, is said by issuer and subject
alone: never by a name or an e-mail address, which may be another's here. What it may do is said by a claim (a group), by
the table in the settings; who is in none of these groups is refused.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from api.db.store import Clock
from api.settings import Settings
from detector.errors import ConfigError

log = logging.getLogger(__name__)

CALLBACK = "/api/v1/session/oidc/callback"
LIFE = timedelta(minutes=10)
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # asymmetric only: none of these is our own secret
_LEEWAY_S = 60
_TIMEOUT_S = 10.0
_RANK = ("viewer", "operator", "admin")
_NAMELESS = re.compile(r"[^a-z0-9._-]+")


class Refused(Exception):
    """The login is not taken; the words say why, without anything of the token."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What the settings say of the provider."""

    issuer: str
    client_id: str
    client_secret: str  # "": a public client, by PKCE alone
    claim: str
    roles: Mapping[str, str]
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who came back from the provider."""

    subject: str  # of this provider: issuer and subject
    name: str  # as the provider calls them, in the letters of a user name
    role: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it must bring back."""

    url: str
    binder: str  # the cookie


@dataclass(frozen=True, slots=True)
class _Pending:
    state: str
    nonce: str
    verifier: str
    ends_s: int  # since 1970


def provider_of(settings: Settings) -> Provider | None:
    """None: nobody logs in that way. Raises ConfigError for settings that do not belong together."""
    if not settings.oidc_issuer:
        return None
    where = "WATCHPOST_OIDC_ISSUER"
    parts = urlsplit(settings.oidc_issuer)
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ConfigError("not a safe address", where=where, wanted="https://...", got=f"{parts.scheme}://")
    for name in ("oidc_client_id", "oidc_roles", "public_url"):
        if not getattr(settings, name):
            raise ConfigError("needs another setting", where=where, wanted=f"WATCHPOST_{name.upper()}")
    secret = settings.oidc_client_secret
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        secret.get_secret_value() if secret else "",
        settings.oidc_claim,
        settings.oidc_roles,
        settings.public_url.rstrip("/") + CALLBACK,
    )


class Oidc:
    """Begins and ends logins at one provider."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider, self._clock = provider, clock
        self._key = secrets.token_bytes(32)  # a restart ends the logins under way
        self._metadata: dict[str, Any] = {}
        self._turn = asyncio.Lock()

    async def begin(self) -> Begun:
        """Send a browser to the provider. Raises Refused when that does not answer."""
        endpoint = await self._endpoint("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = _Pending(state, nonce, verifier, int((self._clock() + LIFE).timestamp()))
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._provider.redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": _b64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", self._seal(pending))

    async def end(self, state: str, code: str, binder: str) -> Known:
        """Who has logged in. Raises Refused."""
        pending = self._open(binder)
        if pending is None or not secrets.compare_digest(pending.state.encode(), state.encode()):
            raise Refused("this login was not begun in this browser, or is over")
        return self._known(await self._claims(await self._fetch_token(code, pending), pending.nonce))

    def _seal(self, pending: _Pending) -> str:
        body = ".".join((pending.state, pending.nonce, pending.verifier, str(pending.ends_s)))
        return f"{body}.{self._mark(body)}"

    def _open(self, binder: str) -> _Pending | None:
        """What a cookie of ours says, unless it is another's, was changed or is over."""
        body, _, mark = binder.rpartition(".")
        if not hmac.compare_digest(self._mark(body).encode(), mark.encode()):
            return None
        state, nonce, verifier, ends_s = body.split(".")
        pending = _Pending(state, nonce, verifier, int(ends_s))
        return pending if pending.ends_s > self._clock().timestamp() else None

    def _mark(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()

    async def _fetch_token(self, code: str, pending: _Pending) -> str:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._provider.redirect_uri,
            "client_id": self._provider.client_id,
            "code_verifier": pending.verifier,
        }
        if self._provider.client_secret:
            asked["client_secret"] = self._provider.client_secret
        answer = await self._ask("POST", await self._endpoint("token_endpoint"), asked)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider gave no id_token")
        return token

    async def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        keys = await self._ask("GET", await self._endpoint("jwks_uri"))
        wanted = self._provider
        try:
            claims = jwt.decode(token, KeySet.import_key_set(_key_set(keys)), algorithms=_ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=lambda: int(self._clock().timestamp()),
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": wanted.issuer},
                aud={"essential": True, "value": wanted.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("oidc token refused reason=%s", type(error).__name__)
            raise Refused("the provider's token does not fit") from error
        if isinstance(claims["aud"], list) and claims.get("azp", wanted.client_id) != wanted.client_id:
            raise Refused("the provider's token is for another client")
        return claims

    def _known(self, claims: Mapping[str, Any]) -> Known:
        told = claims.get(self._provider.claim, [])
        groups = [told] if isinstance(told, str) else told if isinstance(told, list) else []
        roles = {
            self._provider.roles[one]
            for one in groups
            if isinstance(one, str) and one in self._provider.roles
        }
        if not roles:
            raise Refused("no group of yours may use this service")
        subject, name = str(claims["sub"]), str(claims.get("preferred_username", ""))
        if not subject or len(subject) > 200:
            raise Refused("the provider's token names nobody")
        plain = _NAMELESS.sub("-", name.lower()).strip("-._")[:48] or "user"
        marked = f"{hashlib.sha256(self._provider.issuer.encode()).hexdigest()[:16]}|{subject}"
        return Known(marked, plain, max(roles, key=_RANK.index))

    async def _endpoint(self, name: str) -> str:
        async with self._turn:
            if not self._metadata:
                base = self._provider.issuer.rstrip("/")
                found = await self._ask("GET", f"{base}/.well-known/openid-configuration")
                if found.get("issuer") != self._provider.issuer:
                    raise Refused("the provider calls itself by another name")
                self._metadata = found
        endpoint = self._metadata.get(name)
        if (
            not isinstance(endpoint, str)
            or urlsplit(endpoint).scheme != urlsplit(self._provider.issuer).scheme
        ):
            raise Refused(f"the provider tells no safe {name}")
        return endpoint

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
                answer = await client.request(method, url, data=form)
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError, UnicodeDecodeError) as error:
            log.warning("oidc provider does not answer reason=%s", type(error).__name__)
            raise Refused("the provider does not answer") from error
        if not isinstance(found, dict):
            log.warning("oidc provider refused status=%d", answer.status_code)
            raise Refused("the provider refused")
        return found


def oidc_of(settings: Settings, clock: Clock) -> Oidc | None:
    """Logins at the provider of these settings; None: there is none. Raises ConfigError."""
    provider = provider_of(settings)
    return None if provider is None else Oidc(provider, clock)


def _key_set(told: dict[str, Any]) -> KeySetSerialization:
    return {"keys": told["keys"]}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
