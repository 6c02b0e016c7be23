"""What is freed goes back to the system, also where some of what lies between is still in use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from streams.allocator import give_back


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read from /proc")
def test_freed_memory_goes_back() -> None:
    """Nine of ten pieces are freed, the tenth holds the heap together: most of it is given back."""
    pieces = [bytes([n % 255 + 1]) * 60_000 for n in range(2000)]
    kept = pieces[::10]
    del pieces
    before_mb = resident_mb()
    give_back()
    assert before_mb - resident_mb() > 50.0
    assert len(kept) == 200
