"""Machine: what this computer is, to stand beside every figure measured on it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """Name the processor, its instruction set and how many cores this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    name = found.group(1).strip() if found else "unknown processor"
    return f"{name} ({platform.machine()}, {len(os.sched_getaffinity(0))} cores)"
