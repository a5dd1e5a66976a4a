"""The kernel's virtual video device: what it shows, and how it is broken and mended."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PLATFORM = Path("/sys/bus/platform/drivers/vivid")
BARS, BLACK, WHITE, RED = 1, 5, 6, 7
"""Values of its control `test_pattern`."""


def load() -> Path:
    """Load the driver with one camera; give its device."""
    subprocess.run(["modprobe", "vivid", "n_devs=1", "node_types=0x1"], check=True)
    return device()


def device() -> Path:
    """Give the device's present path."""
    subprocess.run(["udevadm", "settle"], check=True)
    (found,) = Path("/dev").glob("video*")
    return found


def unload() -> None:
    """Take the driver away; fails while a program holds the camera."""
    subprocess.run(["modprobe", "-r", "vivid"], check=True)


def unplug() -> None:
    """Take the device from under whoever uses it."""
    (_PLATFORM / "unbind").write_text("vivid.0", encoding="ascii")


def plug() -> None:
    """Bring the device back."""
    (_PLATFORM / "bind").write_text("vivid.0", encoding="ascii")


def control(**values: int) -> None:
    """Set controls by the names that v4l2-ctl lists."""
    said = ",".join(f"{name}={value}" for name, value in values.items())
    subprocess.run(["v4l2-ctl", "-d", device(), "-c", said], check=True)


def value(name: str) -> int:
    """Read a control."""
    told = subprocess.run(["v4l2-ctl", "-d", device(), "-C", name], check=True, capture_output=True, text=True).stdout
    return int(told.split(":")[1])
