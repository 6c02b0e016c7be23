"""A small OpenID Connect provider over real HTTP: signs people in at once, checks PKCE, gives each code one token.

`claims` are added to its next tokens; `forge(claims)` may return a token of its own instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "watchpost", "a secret of the client"


class Provider:
    """`now` is its clock, s since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.claims: dict[str, Any] = {"sub": "u-1", "preferred_username": "ann", "groups": ["ops"]}
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.metadata: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def authorize(self, asked: dict[str, str]) -> str:
        """Where a browser is sent back to."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], 'code': code})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """None: refused."""
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or form.get("client_secret") != CLIENT_SECRET
        ):
            return None
        now = int(self.now())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "nonce": asked["nonce"]} | times | self.claims
        return {"id_token": self.forge(claims) if self.forge else self.sign(claims), "token_type": "Bearer"}

    def document(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        urls = {name: f"{self.issuer}/{place}" for name, place in places.items()}
        return {"issuer": self.issuer} | urls | self.metadata


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(address.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif address.path == "/keys":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            elif address.path == "/.well-known/openid-configuration":
                self._json(provider.document())
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._json(found or {"error": "invalid_grant"}, 200 if found else 400)

        def _json(self, content: dict[str, Any], status: int = 200) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
