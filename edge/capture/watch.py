"""Camera watch: the core's eye on one capture process; takes what it tells, and replaces it when it is silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.camera_state import SOUND, CameraTold
from edge.capture.capture import RETRY_S

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.clock import Clock
    from edge.health import CameraHealth
    from edge.slot import Slot
    from edge.supervise import Supervised

GRACE_S = 0.5
"""A camera that is silent is told at once and replaced so much later: its own time-outs mend it sooner."""


@dataclass(slots=True, kw_only=True)
class CameraWatch:
    """Keeps one camera's health true. Belongs to the core's main thread."""

    config: CameraConfig
    health: CameraHealth
    child: Supervised
    slot: Slot
    clock: Clock

    def __post_init__(self) -> None:
        self.health.due_s = self.config.due_s

    def tend(self) -> None:
        """Take the last account, notice silence, replace the process where it is due."""
        health, child, now = self.health, self.child, self.clock.monotonic_s()
        health.restarts = child.restarts
        told = CameraTold.read(self.slot)
        running = told.told_mono_s > child.started_mono_s  # what is told comes from the present process
        if running:
            health.take(told)
        if not child.pid:
            if health.state in SOUND or child.died:
                health.trouble("failed", "its process ended by itself and is started again")
            return
        if health.state == "finished":
            return
        silent_s = now - max(told.told_mono_s, child.started_mono_s)
        if running and (told.given or told.state == "waiting"):
            if silent_s > self.config.patience_s:
                health.trouble("stalled", f"no picture for {silent_s:.1f} s")
            if silent_s > self.config.patience_s + GRACE_S:
                child.replace(health.detail, at_once=True)
        elif silent_s > self.config.first_frame_s + RETRY_S[1]:
            health.trouble("failed", f"no first picture within {self.config.first_frame_s:.0f} s")
            child.replace(health.detail, at_once=False)
