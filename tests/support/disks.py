"""Real small disks for tests: a tmpfs of a few megabytes, mounted and taken away. Skips where that is not permitted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(where: Path, size: str = "8m") -> None:
    """Put an empty disk of this size on a folder; skips the test if this user may not."""
    where.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(where))


def unmount(where: Path) -> None:
    """Take it away, even while it is in use."""
    _run("umount", "-l", str(where))


def bind(what: Path, where: Path) -> None:
    """Show a folder in another place, as a disk that can be taken away and come back with what is on it."""
    where.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", str(what), str(where))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in this folder can be removed, not even by root."""
    bind(folder, folder)
    try:
        _run("mount", "-o", "remount,ro,bind", str(folder))
        yield
    finally:
        unmount(folder)


@contextmanager
def small_disk(where: Path, size: str = "8m") -> Iterator[Path]:
    """A disk of this size, for a while; also when the test has taken it away meanwhile."""
    mount(where, size)
    try:
        yield where
    finally:
        if where.is_mount():
            unmount(where)


def fill(disk: Path, leave: int = 0) -> Path:
    """Write a file that leaves so many bytes free; remove it to make room again."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        while (free := shutil.disk_usage(disk).free - leave) > 0:
            file.write(bytes(min(free, 1 << 20)))
    return path


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{command[0]} is not permitted here: {done.stderr.strip()}")
