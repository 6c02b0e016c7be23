"""How many processors this process may really use: the set it is bound to, cut by its container's quota."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """At least 1. `os.cpu_count()` would start 64 threads in a container that may use two processors."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, bound if quota is None else min(bound, int(quota)))


def _quota(cgroup: Path) -> float | None:
    """Processors' worth of time that the control group (version 2, else 1) allows; None: no limit."""
    try:
        if (cgroup / "cpu.max").is_file():
            limit, period = (cgroup / "cpu.max").read_text().split()
        else:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
    except OSError:
        return None
    return None if limit in {"max", "-1"} else int(limit) / int(period)
