"""Laws of the whole way with real processes: the command line, the service as a child, kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from support.api import PASSWORDS
from support.live_api import make_people
from support.site import camera, gathering, make_site, write_network

from api.settings import Settings
from streams.worker import run_worker

ROOT = Path(__file__).parent.parent
START_S = 30.0


class Service:
    """`watchpost serve` as a child process on a port that stays the same over restarts."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = data_dir.with_suffix(".log").open("ab")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "watchpost", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self._data_dir)]
        self._child = subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/api/v1/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the service did not start")

    def kill(self) -> None:
        assert self._child is not None
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()

    def stop(self) -> int:
        assert self._child is not None
        self._child.terminate()
        code = self._child.wait(15)
        self._log.close()
        return code


def test_an_alert_arrives_exactly_once_though_the_service_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of the service while the worker runs loses nothing and doubles nothing."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    service = Service(tmp_path / "service")
    monkeypatch.setenv("WATCHPOST_TOKEN", asyncio.run(make_people(Settings(data_dir=tmp_path / "service"))))
    service.start()
    film = gathering(tmp_path / "film.mp4", 33, from_s=4, until_s=14)
    site = make_site(tmp_path, service.url, camera("yard", film))
    moves = ["kill", "restart"]

    def watch(_what: str, n_analysed: int, _total: int) -> None:
        if moves[:1] == ["kill"] and n_analysed > 0:
            service.kill()
            moves.pop(0)
        elif moves[:1] == ["restart"] and n_analysed >= 33 * 5:
            service.start()
            moves.pop(0)

    done = run_worker(site, threading.Event(), until_done=True, progress=watch)
    assert not moves
    assert (done.n_outbox, done.n_refused) == (0, 0)
    with httpx.Client(base_url=f"{service.url}/api/v1") as client:
        client.post("/session", json={"name": "operator", "password": PASSWORDS["operator"]})
        items = client.get("/alerts").json()["items"]
        assert len(items) == 1
        detail = client.get(f"/alerts/{items[0]['alert_id']}").json()
    told = [(line["phase"], line["revision"]) for line in detail["history"]]
    assert len(set(told)) == len(told)
    assert [phase for phase, _ in told if phase != "updated"] == ["opened", "closed"]
    assert {kind: media["state"] for kind, media in detail["media"].items()} == dict.fromkeys(
        ("snapshot", "clip", "overlay"), "ready"
    )
    assert service.stop() in (0, -signal.SIGTERM)  # uvicorn hands the signal on once it has stopped


def run_command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "watchpost", *words]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[[cameras]]\nid = 'a'\nsource = 'x.mp4'\nanalyse_fsp = 5\n", 2, "Did you mean 'analyse_fps'?"),
        ("cameras = 3\n", 2, "cameras"),
        ("[[cameras\n", 2, "not TOML"),
        ("[[cameras]]\nid = 'a'\nsource = 'x.mp4'\n[[cameras.zones]]\nname = 'z'\npolygon = [[0.1, 0.1], [0.5, 0.5]]\n", 2, "z"),
    ],
)  # fmt: skip
def test_a_wrong_site_file_is_said_and_has_its_exit_code(
    tmp_path: Path, text: str, code: int, said: str
) -> None:
    """`check-config` names what is wrong in one line, without a trace, and exits with 2."""
    site = tmp_path / "site.toml"
    site.write_text(text)
    done = run_command("check-config", str(site), COLUMNS="400")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_that_is_none_is_said(tmp_path: Path) -> None:
    """`replay` of a text file names the file and exits with 4."""
    video, site = tmp_path / "notes.mp4", tmp_path / "site.toml"
    video.write_text("not a film")
    site.write_text(f"[detector]\nnetwork = 'pixelcode'\n[[cameras]]\nid = 'a'\nsource = '{video}'\n")
    networks = write_network(tmp_path / "networks")
    command = ("replay", str(video), "-c", str(site), "--json", str(tmp_path / "out.json"))
    done = run_command(*command, COLUMNS="400", WATCHPOST_NETWORKS=str(networks))
    assert done.returncode == 4, done.stderr
    assert "notes.mp4" in done.stderr
    assert not (tmp_path / "out.json").exists()
