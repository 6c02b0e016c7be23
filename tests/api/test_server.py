"""The service on a real socket: the feed over HTTP, a prompt stop, and nothing lost by a kill."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.alerts import alert_in
from support.live_api import LiveApi, start_api

DEADLINE_S = 30
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveApi]:
    api = start_api(tmp_path)
    yield api
    api.stop()


def _post(api: LiveApi, number: int) -> None:
    url = f"{api.base_url}/api/v1/alerts"
    httpx.post(
        url, content=alert_in(number).model_dump_json(), headers=api.worker_headers | JSON
    ).raise_for_status()


def _ids(lines: Iterator[str], n: int) -> list[int]:
    found: list[int] = []
    while len(found) < n:
        line = next(lines)
        if line.startswith("id: "):
            found.append(int(line[4:]))
    return found


def test_the_feed_resumes_over_a_restart(tmp_path: Path) -> None:
    """A listener that saw 2 of 5 gets the other 3 once, in order, from the service started again."""
    api = start_api(tmp_path)
    person = api.log_in()
    with person.stream("GET", "/api/v1/feed") as stream:
        lines = stream.iter_lines()
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert _ids(lines, 1) == [0]
        for number in range(2):
            _post(api, number)
        assert _ids(lines, 2) == [1, 2]
    for number in range(2, 5):
        _post(api, number)
    api.stop()
    again = start_api(tmp_path, token=api.token)
    person.base_url = again.base_url
    with person.stream("GET", "/api/v1/feed", headers={"Last-Event-ID": "2"}) as stream:
        assert _ids(stream.iter_lines(), 3) == [3, 4, 5]
    person.close()
    again.stop()


def test_a_stop_does_not_wait_for_listeners(tmp_path: Path) -> None:
    """With open streams the service stops within two seconds, and their readers see the end."""
    api = start_api(tmp_path)
    person = api.log_in()
    ended = threading.Event()
    ready = threading.Event()

    def listen() -> None:
        with person.stream("GET", "/api/v1/feed") as stream:
            for _ in stream.iter_lines():
                ready.set()
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(DEADLINE_S)
    began = time.monotonic()
    api.stop()
    assert time.monotonic() - began < 2
    assert ended.wait(DEADLINE_S)
    thread.join(DEADLINE_S)
    person.close()


def test_a_clip_is_sent_in_pieces_over_a_socket(live: LiveApi) -> None:
    """A real client uploads a clip without holding it in memory and reads a piece of it."""
    body = os.urandom(3 * 1024 * 1024)
    _post(live, 0)
    url = f"{live.base_url}/api/v1/alerts/{alert_in(0).alert_id}"
    headers = live.worker_headers | {"X-Content-SHA256": hashlib.sha256(body).hexdigest()}
    httpx.put(f"{url}/media/clip", content=body, headers=headers).raise_for_status()
    with live.log_in("viewer") as person:
        piece = person.get(f"{url}/clip", headers={"Range": "bytes=1048576-1048585"})
    assert piece.content == body[1048576:1048586]


_SERVE = """
import sys
from pathlib import Path
from api.app import create_app
from api.server import make_server
from api.settings import Settings
make_server(create_app(Settings(data_dir=Path(sys.argv[1]))), "127.0.0.1", int(sys.argv[2])).run()
"""


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    """Every alert answered 201 before SIGKILL is there after; SIGTERM ends the process with success."""
    first = start_api(tmp_path)
    first.stop()
    with _process(first, tmp_path) as process:
        for number in range(20):
            _post(first, number)
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
    with _process(first, tmp_path) as process:
        with first.log_in() as person:
            assert len(person.get("/api/v1/alerts").json()["items"]) == 20
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) in (0, -signal.SIGTERM)


@contextmanager
def _process(api: LiveApi, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service of `api` in a process of its own, answering; killed at the end if it still runs."""
    port = api.base_url.rsplit(":", 1)[1]
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(folder / "api"), port])
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not _answers(api.base_url):
            assert process.poll() is None, "the service ended"
            assert time.monotonic() < deadline, "the service did not come up"
            threading.Event().wait(0.02)
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_S)


def _answers(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/api/v1/health").is_success
    except httpx.TransportError:
        return False
