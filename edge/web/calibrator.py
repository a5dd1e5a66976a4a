"""Calibrator: keeps the one calibration that may run, passes orders on to it, and reads what it tells."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from edge.web.attached import Attached
from edge.web.calibrating import told_slot

if TYPE_CHECKING:
    from pathlib import Path

    from edge.slot import Snapshot
    from edge.web.calibrating import Order

_END_S = 3.0
_NONE: dict[str, Any] = {"phase": "none"}


class Calibrator:
    """Owns the calibrating process. Safe to share between threads."""

    def __init__(self, runtime_dir: Path, state_dir: Path) -> None:
        self._runtime_dir, self._state_dir = runtime_dir, state_dir
        self._told = Attached(told_slot(runtime_dir))
        self.process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self, camera: str, board: str) -> bool:
        """Begin a calibration; False while another one runs."""
        with self._lock:
            if self._running():
                return False
            self._end()
            self._told.path.unlink(missing_ok=True)
            places = [str(self._runtime_dir), str(self._state_dir), camera, board]
            command = [sys.executable, "-m", "edge.web.calibrating", *places]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)
            return True

    def told(self) -> dict[str, Any]:
        """Give how the calibration stands; asking keeps it alive."""
        with self._lock:
            self._write("")
            snapshot = self._snapshot()
            if self.process is None:
                return _NONE
            if not self._running():
                return {"phase": "ended", "trouble": "the calibration ended by itself: begin again"}
            return {"phase": "starting"} if snapshot is None else {**snapshot.meta, "picture": snapshot.sequence}

    def picture(self) -> bytes:
        """Give what it looked at last as JPEG; empty before the first."""
        with self._lock:
            snapshot = self._snapshot()
            if snapshot is None:
                return b""
            jpeg = snapshot.arrays["jpeg"].tobytes()
            return jpeg if snapshot.intact() else b""

    def order(self, order: Order) -> bool:
        """Pass an order on; False when no calibration runs."""
        with self._lock:
            return self._write(order)

    def stop(self) -> None:
        """End it; what was not saved is lost."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self.process = self.process, None
        self._told.close()
        if process is not None:
            process.kill()
            process.communicate(timeout=_END_S)

    def _running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _snapshot(self) -> Snapshot | None:
        return self._told.newest() if self._running() else None

    def _write(self, line: str) -> bool:
        if self.process is None or self.process.stdin is None or not self._running():
            return False
        try:
            self.process.stdin.write(f"{line}\n".encode())
        except OSError:  # it just ended
            return False
        return True
