"""What the console's tests share: one Chromium, a service of its own for each test, and a worker that sends made-up evidence.

The made-up clip shows one white block that walks right at BLOCK_PX_S, so that where a box must be drawn can be read
from the picture itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser
from support.alerts import alert_in
from support.browser import Screen, chromium, screen
from support.live_api import LiveApi, start_api

from api.schemas import AlertIn
from detector.types import Phase

WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 10, 4
START_T = 100.0  # stream second of the clip's first picture
BLOCK = (40.0, 120.0, 120.0, 280.0)  # x0 y0 x1 y1 px at the start
BLOCK_PX_S = 100.0
MEMBER, OTHER = 7, 8

OpenScreen = Callable[..., AbstractContextManager[Screen]]


def _picture(k: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    x0, y0, x1, y1 = BLOCK
    step = BLOCK_PX_S * k / RATE
    rgb = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    rgb[int(y0) : int(y1), int(x0 + step) : int(x1 + step)] = 240
    return rgb


def _clip() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as box:
        stream = box.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for k in range(RATE * SECONDS):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(k), format="rgb24")))
        box.mux(stream.encode())
    return out.getvalue()


def _snapshot() -> bytes:
    out = io.BytesIO()
    Image.fromarray(_picture(20)).save(out, "jpeg")
    return out.getvalue()


def _overlay() -> bytes:
    """The block as track MEMBER and a still box as OTHER, looked at five times a second."""
    x0, y0, x1, y1 = BLOCK
    frames = []
    for k in range(0, RATE * SECONDS, 2):
        step = BLOCK_PX_S * k / RATE
        boxes = [[MEMBER, x0 + step, y0, x1 + step, y1], [OTHER, 500, 20, 560, 90]]
        frames.append({"t": START_T + k / RATE, "boxes": boxes})
    return json.dumps({"width": WIDTH, "height": HEIGHT, "frames": frames}).encode()


class Worker:
    """Speaks to the service as a worker does."""

    def __init__(self, api: LiveApi, evidence: dict[str, bytes]) -> None:
        self._http = httpx.Client(base_url=f"{api.base_url}/api/v1", headers=api.worker_headers, timeout=20)
        self._evidence = evidence

    def send(self, number: int = 0, phase: Phase = Phase.OPENED, revision: int = 0, **changes: Any) -> str:
        """Send one phase of alert `number`; gives its id. It started 1 s into the clip and was raised 2 s into it."""
        times = {"started_t": START_T + 1, "t": START_T + 2 + revision, "track_ids": [MEMBER], "box": BLOCK}
        alert: AlertIn = alert_in(number, phase, revision, **(times | changes))
        self._http.post("/alerts", json=alert.model_dump(mode="json")).raise_for_status()
        return str(alert.alert_id)

    def send_media(self, alert_id: str, kind: str, note: str = "") -> None:
        data = self._evidence[kind]
        span = {"start_t": START_T, "duration_s": SECONDS, "note": note} if kind == "clip" else {}
        path, sha = f"/alerts/{alert_id}/media/{kind}", hashlib.sha256(data).hexdigest()
        self._http.put(path, params=span, content=data, headers={"X-Content-SHA256": sha}).raise_for_status()

    def send_missing(self, alert_id: str, kind: str, reason: str) -> None:
        path = f"/alerts/{alert_id}/media/{kind}/missing"
        self._http.put(path, json={"reason": reason}).raise_for_status()

    def send_camera(self, camera_id: str = "lawn", **changes: Any) -> None:
        camera = {
            "camera_id": camera_id,
            "name": "Lawn camera",
            "timezone": "Europe/Berlin",
            "width": WIDTH,
            "height": HEIGHT,
            "zones": [{"name": "grass", "polygon": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.9], [0.1, 0.9]]}],
            "rules": [{"rule": "gathering", "zone": "grass", "params": {"min_people": 3, "hold_s": 6.0}}],
        }
        self._http.put(f"/cameras/{camera_id}", json=camera | changes).raise_for_status()
        picture = self._evidence["snapshot"]
        headers = {"Content-Type": "image/jpeg"}
        self._http.put(f"/cameras/{camera_id}/picture", content=picture, headers=headers).raise_for_status()

    def put(self, path: str, body: dict[str, Any]) -> None:
        self._http.put(path, json=body).raise_for_status()

    def ask(self, camera_id: str = "lawn") -> list[dict[str, Any]]:
        """What is to be tried on a camera now."""
        ask = {"worker_id": "w", "answered": {camera_id: 0}}
        answer = self._http.post("/orders", json=ask).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["what_ifs"]
        return found

    def orders(self, camera_id: str = "lawn") -> dict[str, Any]:
        """What is to be tried on a camera, once somebody asks."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if found := self.ask(camera_id):
                return found[0]
            time.sleep(0.05)
        raise AssertionError("nothing is to be tried")

    def send_pulse(
        self, camera_id: str = "lawn", *, disk: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        state = {"camera_id": camera_id, "state": "online", "reason": "", "coverage": 0.97, "n_people": 4}
        counts = {"n_decoded": 100, "n_analysed": 50, "n_dropped": 0}
        pulse = {"worker_id": "w", "at": "2026-03-01T12:00:00Z", "n_outbox": 0, "n_refused": 0, "disk": disk}
        self._http.post("/heartbeat", json=pulse | {"cameras": [state | counts | changes]}).raise_for_status()

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="session")
def evidence() -> dict[str, bytes]:
    return {"clip": _clip(), "snapshot": _snapshot(), "overlay": _overlay()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with ThreadPoolExecutor(1) as pool:  # Chromium's driver has an event loop in this thread already
        running = pool.submit(start_api, tmp_path).result()
    yield running
    running.stop()


@pytest.fixture
def worker(api: LiveApi, evidence: dict[str, bytes]) -> Iterator[Worker]:
    sending = Worker(api, evidence)
    yield sending
    sending.close()


@pytest.fixture
def worker_of() -> Callable[[LiveApi, dict[str, bytes]], Worker]:
    """A worker of a service that a test started itself, with evidence of its own."""
    return Worker


@pytest.fixture
def open_screen(browser: Browser, api: LiveApi) -> OpenScreen:
    """Opens a session on the console: `with open_screen() as view`."""
    return partial(screen, browser, api)
