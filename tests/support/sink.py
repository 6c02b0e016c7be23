"""An alert API made of the standard library, for tests: keeps what it is sent, and misbehaves as told.

`fail(n, status)` answers the next n requests with that status; `close` and a new Sink on the same port are an
outage. It checks what the real one promises to check: the token, the hash, that evidence has an alert.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "t0ken"


class Sink:
    """What a service would have stored; `log` lists every request that was accepted, in order."""

    def __init__(self, port: int = 0, store: Sink | None = None) -> None:
        self.alerts: dict[tuple[str, str, int], dict] = store.alerts if store else {}
        self.media: dict[tuple[str, str], bytes | str] = store.media if store else {}
        self.spans: dict[tuple[str, str], tuple[float, float]] = store.spans if store else {}
        self.notes: dict[tuple[str, str], str] = store.notes if store else {}
        self.log: list[str] = store.log if store else []
        self.beats: list[dict] = []
        self.cameras: dict[str, dict] = {}
        self.pictures: dict[str, bytes] = {}
        self.n_seen = 0
        self.n_repeats = 0
        self.verdict: Callable[[str, bytes], int] = lambda path, body: 0  # a status to answer with, 0: none
        self._fails: list[int] = []
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def fail(self, n: int, status: int) -> None:
        self._fails += [status] * n

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def wait_for(self, what: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        with self.changed:
            return self.changed.wait_for(what, timeout_s)

    def take(self, method: str, target: str, token: str, body: bytes, sha256: str) -> int:
        with self.changed:
            self.n_seen += 1
            status = self._answer(method, target, token, body, sha256)
            if status < 300:
                self.log.append(f"{method} {target}")
            self.changed.notify_all()
            return status

    def _answer(self, method: str, target: str, token: str, body: bytes, sha256: str) -> int:
        if self._fails:
            return self._fails.pop(0)
        if token != f"Bearer {TOKEN}":
            return 401
        address = urlsplit(target)
        parts = address.path.removeprefix("/api/v1/").split("/")
        if status := self.verdict(address.path, body):
            return status
        if parts[0] == "alerts" and len(parts) > 1:
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            return self._evidence(parts[1:], query, body, sha256)
        match method, parts:
            case "POST", ["alerts"]:
                alert = json.loads(body)
                key = (alert["alert_id"], alert["phase"], alert["revision"])
                known = key in self.alerts
                self.n_repeats += known
                self.alerts[key] = alert
                return 200 if known else 201
            case "POST", ["heartbeat"]:
                self.beats.append(json.loads(body))
            case "PUT", ["cameras", camera_id]:
                self.cameras[camera_id] = json.loads(body)
            case "PUT", ["cameras", camera_id, "picture"]:
                self.pictures[camera_id] = body
        return 204

    def _evidence(self, parts: list[str], query: dict[str, str], body: bytes, sha256: str) -> int:
        alert_id, _, kind, *missing = parts
        if not any(key[0] == alert_id for key in self.alerts):
            return 404
        if not missing and hashlib.sha256(body).hexdigest() != sha256:
            return 400
        self.n_repeats += (alert_id, kind) in self.media
        self.media[alert_id, kind] = json.loads(body)["reason"] if missing else body
        if query:
            self.spans[alert_id, kind] = (float(query["start_t"]), float(query["duration_s"]))
            self.notes[alert_id, kind] = query.get("note", "")
        return 204


def _handler(sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def _do(self) -> None:
            if "Content-Length" not in self.headers:
                self.send_error(411)
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = self.headers
            status = sink.take(
                self.command,
                self.path,
                headers.get("Authorization", ""),
                body,
                headers.get("X-Content-SHA256", ""),
            )
            answer = b"" if status == 204 else b'{"detail": "made up"}'
            self.send_response(status)
            if answer:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = _do

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
