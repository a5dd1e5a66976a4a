"""Machine: what this computer is, to stand beside every figure measured on it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

_NEARLY = 0.75


def processor() -> str:
    """Name the processor, its instruction set and how many cores this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    name = found.group(1).strip() if found else "unknown processor"
    return f"{name} ({platform.machine()}, {len(os.sched_getaffinity(0))} cores)"


def fast_cores(root: Path = Path("/sys/devices/system/cpu")) -> tuple[int, ...]:
    """Give the cores of this process that are nearly as fast as its fastest; all where no difference is told."""
    allowed = sorted(os.sched_getaffinity(0))
    speeds = {core: _speed(root / f"cpu{core}") for core in allowed}
    return tuple(core for core in allowed if speeds[core] >= _NEARLY * max(speeds.values()))


def _speed(core: Path) -> int:
    """Read a core's capacity, on Arm, or its highest frequency; 0 where neither is told."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        try:
            return int((core / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return 0
