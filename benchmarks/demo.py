"""The demo: the service, a worker and the sample footage, put together as a user would.

Everything of it lies in one folder, emptied at each start, and nothing listens beyond this machine.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from rich.console import Console
from rich.table import Table

from api.auth import create_user, create_worker_token
from api.db.store import open_store
from api.settings import Settings
from benchmarks.footage import fetch_clip
from benchmarks.report import Figure, Report, write_json
from detector.errors import ApiUnreachable, ConfigError
from models.catalog import load_card
from models.export import ensure_network
from streams.config import Site, load_site
from streams.worker import run_worker

TEMPLATE = Path(__file__).with_name("demo.toml")
MARK = ".watchpost-demo"  # only a folder that holds this is ever emptied
START_S = 30.0


class Demo:
    """A running service with one operator, and a site of two cameras. Use as a context manager."""

    user = "operator"

    def __init__(self, folder: Path, port: int, *, once: bool) -> None:
        self.folder = folder.resolve()
        self.password = secrets.token_urlsafe(9)
        self.url = f"http://127.0.0.1:{_free_port(port)}"
        self._once = once
        self._data = self.folder / "service"
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        network = load_card("yolov8n")
        ensure_network(network)
        clip = fetch_clip("vtest")
        _empty(self.folder)
        token = asyncio.run(self._first_users())
        (self.folder / "worker.token").write_text(token)
        (self.folder / "worker.token").chmod(0o600)
        self._write_site(clip)
        self._start_service()
        return self

    def __exit__(self, *_: object) -> None:
        if self._service is not None:
            self._service.terminate()
            self._service.wait(timeout=15)

    def watch(self, stop: threading.Event) -> None:
        """Run the worker until `stop`; ends too when the service has died."""
        threading.Thread(target=self._end_with_service, args=(stop,), daemon=True).start()
        run_worker(self._site(), stop)

    def run_once(self, progress: Callable[[str, int, int], None]) -> DemoReport:
        """Run both cameras' footage to its end at full speed; every alert has then been delivered."""
        started = time.perf_counter()
        done = run_worker(self._site(), threading.Event(), until_done=True, progress=progress)
        wall_s = time.perf_counter() - started
        alerts = self._alerts()
        n = done.n_analysed
        figures = [
            _figure("demo.alerts", len(alerts), "alerts", n),
            _figure("demo.pictures", n, "pictures", n),
            _figure("demo.seconds", round(wall_s, 2), "s", n),
            _figure("demo.undelivered", done.n_outbox, "items", n),
        ]
        return DemoReport(alerts, Report.of(figures))

    def _site(self) -> Site:
        return load_site(self.folder / "site.toml")

    def _write_site(self, clip: Path) -> None:
        text = TEMPLATE.read_text(encoding="utf-8")
        values = {
            "DEMO_STATE": self.folder / "worker",
            "DEMO_URL": self.url,
            "DEMO_TOKEN": self.folder / "worker.token",
            "DEMO_CLIP": clip,
            "DEMO_PACE": "fast" if self._once else "realtime",
            "DEMO_LOOP": "false" if self._once else "true",
        }
        for key, value in values.items():
            text = text.replace(key, str(value))
        (self.folder / "site.toml").write_text(text, encoding="utf-8")

    async def _first_users(self) -> str:
        async with open_store(Settings(data_dir=self._data)) as store:
            await create_user(store, self.user, self.password, "operator")
            return await create_worker_token(store, "demo")

    def _start_service(self) -> None:
        port = self.url.rsplit(":", 1)[1]
        log = self.folder / "service.log"
        command = [sys.executable, "-m", "watchpost", "serve", "--port", port, "--data-dir", str(self._data)]
        with log.open("wb") as file:
            # Its own process group: Ctrl-C reaches the worker first, which drains before the service is ended.
            self._service = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._service.poll() is None:
            try:
                if httpx.get(f"{self.url}/api/v1/health", timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise ApiUnreachable("the service did not start", where=self.url, todo=f"Read {log}")

    def _end_with_service(self, stop: threading.Event) -> None:
        assert self._service is not None
        self._service.wait()
        stop.set()

    def _alerts(self) -> list[dict[str, Any]]:
        """Every alert as the API tells it (AlertDetail), oldest first, with the paths of its evidence under `files`."""
        with httpx.Client(base_url=f"{self.url}/api/v1", timeout=30) as client:
            client.post("/session", json={"name": self.user, "password": self.password}).raise_for_status()
            query: dict[str, str | int] | None = {"limit": 200}
            ids: list[str] = []
            while query is not None:
                page = client.get("/alerts", params=query).raise_for_status().json()
                ids += [item["alert_id"] for item in page["items"]]
                query = {"limit": 200, "cursor": page["next"]} if page["next"] else None
            details = [client.get(f"/alerts/{key}").raise_for_status().json() for key in reversed(ids)]
        for detail in details:
            lying = sorted((self._data / "media" / detail["alert_id"]).glob("*.*"))
            detail["files"] = {path.stem: str(path) for path in lying}
        return details


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What `demo --once` saw."""

    alerts: list[dict[str, Any]]
    report: Report

    def show(self, console: Console) -> None:
        """Print one row an alert, then the figures."""
        table = Table(title="alerts")
        for title in ("camera", "zone", "rule", "severity", "from s", "to s", "reason", "evidence"):
            table.add_column(title)
        for alert in self.alerts:
            table.add_row(
                alert["camera_id"], alert["zone"], alert["rule"], alert["severity"],
                f"{alert['started_t']:.1f}", f"{alert['t']:.1f}" if alert["phase"] == "closed" else "open",
                alert["reason"], " ".join(sorted(alert["files"])),
            )  # fmt: skip
        console.print(table)
        self.report.show(console)

    def write(self, path: Path) -> None:
        """Write `{"alerts": [...], "machine", "commit", "figures"}` as JSON."""
        write_json({"alerts": self.alerts, **self.report.as_json()}, path)


def _figure(name: str, value: float, unit: str, n: int) -> Figure:
    return Figure(name=name, value=value, unit=unit, data="vtest.avi as two cameras", split="all", n=n)


def _empty(folder: Path) -> None:
    """Make the folder anew; one that is not the demo's own is refused."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigError(
            "this folder is not the demo's", where=str(folder), todo="Name an empty one with --folder"
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).touch()


def _free_port(wanted: int) -> int:
    """`wanted`, or a free port when something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
