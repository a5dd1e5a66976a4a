"""The daemon as systemd runs it, from the unit file and the paths that the README names."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from edge.health import health_slot
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Callable

STATE = Path("/var/lib/edgeloupe")
RUNTIME = Path("/run/edgeloupe")
CONFIG = Path("/etc/edgeloupe/edgeloupe.yaml")
GIVE_UP_S = 300.0


def configure(bundle: Path, camera: Path, label: str, **sections: Any) -> None:
    """Write the configuration for one camera, `c`, in whose pictures no `label` may be."""
    CONFIG.parent.mkdir(exist_ok=True)
    source = {
        "source": f"v4l2:{camera}",
        "fps": 5,
        "alert_per": "part",
        "format": {"width": 320, "height": 180, "fps": 10},
    }
    config = {
        "device": "guest",
        "model": {"bundle": str(bundle)},
        "cameras": {"c": source},
        "rules": {label: {"min_area_px": 20}},
        "web": {"enabled": False},
        **sections,
    }
    CONFIG.write_text(yaml.safe_dump(config), encoding="utf-8")


def systemctl(*words: str) -> str:
    """Ask or order; raises CalledProcessError when it is refused."""
    return subprocess.run(["systemctl", *words], check=True, capture_output=True, text=True).stdout.strip()


def shown(name: str) -> str:
    """Give one property of the unit."""
    return systemctl("show", "--value", "-p", name, "edgeloupe")


def main_pid() -> int:
    return int(shown("MainPID"))


def camera() -> dict[str, Any]:
    """Give what the daemon tells about its camera."""
    if not health_slot(RUNTIME).exists():
        return {}
    with Slot(health_slot(RUNTIME)) as slot:
        told = slot.newest()
    return {} if told is None else dict(told.meta.get("cameras", {}).get("c", {}))


def until(true: Callable[[], object], what: str, limit_s: float = GIVE_UP_S) -> float:
    """Wait for it; give how long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < limit_s, f"in vain for {what}\n{journal()}"
        time.sleep(0.5)  # each look starts a program
    return time.monotonic() - began


def journal() -> str:
    """Give the daemon's last words."""
    command = ["journalctl", "-u", "edgeloupe", "-n", "30", "--no-pager", "-o", "cat"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
