"""How many CPUs this process may keep busy, which may be far fewer than the machine has."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_count() -> int:
    """At least 1: the CPUs that the system lets this process run on, or fewer if less time is granted.

    Python's own limit (``PYTHON_CPU_COUNT``, ``-X cpu_count``, known to Python from 3.13 on) and the quotas of Linux'
    control groups, which containers are given, count.
    """
    usable = _usable()
    return max(1, math.ceil(min(usable, _quota())))


def _usable() -> int:
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(KeyError, ValueError):  # "default" is no limit
        return max(1, int(os.environ["PYTHON_CPU_COUNT"]))
    return found


def _quota() -> float:
    """CPUs' worth of time that the control groups of this process grant together; infinite without a limit."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return math.inf
    found = math.inf
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = _CGROUPS / "cpu" if controllers else _CGROUPS
        group = root / path.lstrip("/")
        # Limits of outer groups hold for inner ones. In a container the root is its own group, whatever the path says.
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                found = min(found, _limit(folder))
    return found


def _limit(folder: Path) -> float:
    """The limit of one control group: ``cpu.max`` in version 2, two files in version 1."""
    try:
        if (folder / "cpu.max").exists():
            time, period = (folder / "cpu.max").read_text().split()
        else:
            time, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(time) / int(period) if int(time) > 0 else math.inf
    except (OSError, ValueError):  # no limit: "max", or no such files
        return math.inf
