"""A PostgreSQL server of the test's own, which it may stop and start. Made by `.ci/postgres`, as CI makes its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / ".ci" / "postgres"
_ABSENT = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """One server; its address stays the same over a restart."""

    folder: Path

    def start(self) -> str:
        """Start it; returns its address. Skips the test where there is no PostgreSQL."""
        done = self._run("start")
        if done.returncode == _ABSENT:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> None:
        """End it at once, with every connection, as a crash does."""
        self._run("stop")

    def _run(self, what: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as told:  # a pipe would be kept open by the server itself
            done = subprocess.run(
                [str(_SCRIPT), what, str(self.folder)], stdout=told, stderr=told, text=True, check=False
            )
            told.seek(0)
            text = told.read()
        return subprocess.CompletedProcess(done.args, done.returncode, text, text)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server in a folder of its own, which another user can reach; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="watchpost-pg-", dir="/tmp"))
    own = Cluster(folder)
    try:
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder)
