"""Processes: what others on this machine cost, as the kernel counts it."""

from __future__ import annotations

import re
import time
from pathlib import Path

_SCHEDULED = 2  # CPUCLOCK_SCHED, linux/posix-timers.h


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of all threads of a process since it began, to the nanosecond; 0 when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULED)  # what clock_getcpuclockid(3) gives
    except OSError:
        return 0.0


def pss_bytes(pid: int) -> int:
    """Give the memory of a process, pages shared with others counted by their share; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) << 10 if found else 0


def descendants(pid: int) -> list[int]:
    """List the processes that a process began, and those that they began, as they are now."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text(encoding="ascii").split()]
        except OSError:  # gone meanwhile
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found
