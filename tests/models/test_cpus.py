"""The processor count is what the process may really use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.cpus import usable_cpus


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("20000 100000", 1),
        ("990000 100000", 8),
    ],
)
def test_a_containers_quota_cuts_the_count(tmp_path: Path, limit: str, wanted: int) -> None:
    """Control groups version 2: whole processors of the quota, at least one, at most the bound set."""
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert usable_cpus(tmp_path) == wanted


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(("limit", "wanted"), [("-1", 8), ("300000", 3)])
def test_version_1_groups_are_read_too(tmp_path: Path, limit: str, wanted: int) -> None:
    """Control groups version 1 keep quota and period in two files."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{limit}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cpus(tmp_path) == wanted


@pytest.mark.usefixtures("eight")
def test_without_groups_the_bound_set_counts(tmp_path: Path) -> None:
    """A machine without control groups gives the processors the process is bound to."""
    assert usable_cpus(tmp_path) == 8
    assert usable_cpus() >= 1


def test_without_binding_the_machines_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no processor sets: all of the machine's count."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert usable_cpus(tmp_path) == 10
