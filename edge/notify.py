"""Tell systemd that the daemon is ready, alive or stopping (sd_notify(3))."""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STATUS=…` or `STOPPING=1`; give False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.connect(address)
            channel.send("\n".join(lines).encode())
    except OSError:  # a full or vanished socket must not stop inspection; systemd will notice the silence
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Half of systemd's WatchdogSec in seconds, as sd_watchdog_enabled(3) advises; None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdigit() and int(microseconds) else None
