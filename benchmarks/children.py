"""Real processes of the command line, for drills: started, killed and stopped by their own pid, on loopback only.

Whoever starts a `House` ends it: leaving its block ends every process that it started. Children have a process
group of their own, so a Ctrl-C reaches the drill alone, which then ends them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from api.auth import create_worker_token
from api.db.store import open_store
from api.settings import Settings
from benchmarks.report import ROOT
from benchmarks.sitefile import Table, write_site
from detector.errors import WatchError

_LOOK_S = 0.02
_STOP_S = 20.0  # a worker drains for 10 s


class DrillError(WatchError):
    """A drill that cannot go on: what it drills does not run at all."""


class Child:
    """One command that may be started again and again; each life has a log of its own."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.command = list(command)
        self.n_lives = 0
        self.started_s = 0.0  # monotonic, of this life
        self._folder = folder
        ours = {key: value for key, value in os.environ.items() if not key.startswith("WATCHPOST_")}
        self._env = {**ours, **env}  # a drill never touches the database or the token of a user's service
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What this life has said."""
        return self._folder / f"{self.name}-{self.n_lives:04}.log"

    @property
    def pid(self) -> int:
        """Of this life."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin a new life. Does not wait until it is ready."""
        self.n_lives += 1
        self.started_s = time.monotonic()
        with self.log.open("wb") as file:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    def lines(self) -> list[str]:
        """What this life has said so far, whole lines."""
        return self.log.read_text("utf-8", "replace").split("\n")[:-1]

    def kill(self) -> None:
        """SIGKILL: nothing of it can be caught. Raises DrillError when it had ended by itself."""
        assert self._process is not None
        self.must_run()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def must_run(self) -> None:
        """Raise DrillError, with its last words, when it has ended by itself."""
        if not self.running:
            words = " | ".join(self.lines()[-3:])[-600:]
            raise DrillError(f"the {self.name} ended by itself", where=str(self.log), got=words)


class House:
    """A service with an empty database and a worker with a site file, in one folder. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        stop: threading.Event,
        env: Mapping[str, str] | None = None,
        database_url: SecretStr | None = None,
    ) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder / "service", database_url=database_url)
        self.state_dir = folder / "state"
        self._stop, self._ends = stop, ExitStack()
        logs = folder / "logs"
        logs.mkdir(parents=True)
        self.port, self._site = _free_port(), folder / "site.toml"
        cli = [sys.executable, "-m", "watchpost"]
        serve = ["serve", "--port", str(self.port), "--data-dir", str(self.settings.data_dir)]
        self.token = asyncio.run(self._token())
        told = {
            **(env or {}),
            **({"WATCHPOST_DATABASE_URL": database_url.get_secret_value()} if database_url else {}),
            "WATCHPOST_TOKEN": self.token,
            "COLUMNS": "400",  # a log line is one line
            "TERM": "dumb",
        }
        self.service = Child("service", cli + serve, logs, told)
        self.worker = Child("worker", [*cli, "work", "-c", str(self._site)], logs, told)

    def __enter__(self) -> Self:
        self._ends.callback(self.service.stop)
        self._ends.callback(self.worker.stop)  # the worker first: it may still deliver
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def write_site(self, detector: Table, cameras: Sequence[Table]) -> None:
        """Write the worker's site file, for its next life."""
        worker = {"state_dir": str(self.state_dir), "api_url": f"http://127.0.0.1:{self.port}"}
        write_site(self._site, worker, detector, cameras)

    @property
    def outbox(self) -> Path:
        """The worker's."""
        return self.state_dir / "outbox.db"

    def wait(self, what: str, done: Callable[[], bool], limit_s: float, *must_run: Child) -> None:
        """Wait until `done()`; raises DrillError after `limit_s` or when a child has ended by itself.

        A wish to stop raises KeyboardInterrupt, so that every block on the way out ends what it started.
        """
        deadline = time.monotonic() + limit_s
        while not done():
            for child in must_run:
                child.must_run()
            if time.monotonic() > deadline:
                raise DrillError(f"no {what} within {limit_s:.0f} s", where=str(self.folder / "logs"))
            if self._stop.wait(_LOOK_S):
                raise KeyboardInterrupt

    async def _token(self) -> str:
        async with open_store(self.settings) as store:
            return await create_worker_token(store, "drill")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
