"""Core health: the device's account of itself, and whether it is still being written."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.health import health_slot
from edge.web.attached import Attached

if TYPE_CHECKING:
    from pathlib import Path

    from edge.clock import Clock

SILENT_S = 5.0
"""A core that has not written its health for this long does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the core told last."""

    document: dict[str, Any]  # empty before the first
    age_s: float | None  # None before the first

    @property
    def answering(self) -> bool:
        """Say whether the core is alive."""
        return self.age_s is not None and self.age_s < SILENT_S

    def not_ready(self) -> list[str]:
        """Say why the device is not ready to inspect; empty when it is."""
        if self.age_s is None:
            return ["core: has not told anything yet: is `edgeloupe run` running?"]
        if not self.answering:
            return [f"core: silent for {self.age_s:.0f} s: look into its log (journalctl -u edgeloupe)"]
        reasons = [str(reason) for reason in self.document.get("reasons", ())]
        return reasons if reasons or self.document.get("ready") else ["core: not ready"]

    def camera(self, name: str) -> dict[str, Any]:
        """Give one camera's part; empty for one it does not name."""
        found: dict[str, Any] = (self.document.get("cameras") or {}).get(name) or {}
        return found


class CoreHealth:
    """Reads the health slot. Safe to share between threads."""

    def __init__(self, runtime_dir: Path, clock: Clock) -> None:
        self._slot = Attached(health_slot(runtime_dir))
        self._clock = clock
        self._lock = threading.Lock()
        self._sequence = 0
        self._document: dict[str, Any] = {}

    def read(self) -> Told:
        """Give what the core told last."""
        with self._lock:
            snapshot = self._slot.newest(self._sequence)
            if snapshot is not None:
                self._sequence, self._document = snapshot.sequence, snapshot.meta
            document = self._document
        if not document:
            return Told(document={}, age_s=None)
        age_s = max(self._clock.monotonic_s() - document["written_mono_s"], 0.0)
        return Told(document=document, age_s=age_s)
