"""Capture: one camera in a process of its own; frames go into a slot, the camera's state into another."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge import cameras
from edge.child import become_child
from edge.clock import SystemClock
from edge.errors import CameraError
from edge.frame import MAX_PIXELS
from edge.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from edge.cameras import Camera
    from edge.clock import Clock
    from edge.config import CameraConfig
    from edge.frame import Picture

log = logging.getLogger(__name__)

CameraState = Literal["connecting", "live", "stalled", "failed", "finished"]

FRAME_CAPACITY = MAX_PIXELS * 3 + 4096
"""Bytes a frame slot has room for; memory is used only for what was written."""
STATE_CAPACITY = 64 * 1024
RETRY_S = (0.5, 15.0)
"""Pause before a camera that failed is opened again, growing from the first to the second."""


def frame_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where the frames of `camera` cross."""
    return runtime_dir / f"{camera}.frames"


def state_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where the state of `camera` is told."""
    return runtime_dir / f"{camera}.camera"


def run_capture(name: str, config: CameraConfig, runtime_dir: Path, parent_pid: int) -> None:
    """Be the capture process of one camera until killed: open, read, publish, and open again after a fault."""
    become_child(f"edgeloupe camera {name}", parent_pid)
    with Slot(frame_slot(runtime_dir, name)) as frames, Slot(state_slot(runtime_dir, name)) as state:
        Capture(name, config, frames, state, SystemClock()).run()


@dataclass(slots=True)
class Capture:
    """The camera's loop."""

    name: str
    config: CameraConfig
    frames: Slot
    state: Slot
    clock: Clock
    _count: int = field(init=False, default=0)
    _next_at: float = field(init=False, default=0.0)
    _skipped: str = field(init=False, default="")

    def run(self) -> None:
        """Capture for ever; a source that ends by itself is finished and stays so."""
        self._count = self.frames.latest
        wait_s, complaint = RETRY_S[0], ""
        while True:
            self._tell("failed" if complaint else "connecting", complaint or self.config.source)
            before = self._count
            try:
                with cameras.create(self.config.source, loop=self.config.loop) as camera:
                    self._stream(camera)
            except CameraError as error:
                self._tell("failed", str(error))
                if str(error) != complaint or self._count > before:  # once, not at every try
                    log.warning("%s", error)
                complaint = str(error)
            else:
                self._tell("finished", self._skipped or "the source has no more pictures")
                while True:
                    time.sleep(3600)
            wait_s = RETRY_S[0] if self._count > before else min(2 * wait_s, RETRY_S[1])
            time.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret

    def _stream(self, camera: Camera) -> None:
        while (picture := self._read(camera)) is not None:
            meta: dict[str, Any] = {
                "id": self._count + 1,
                "captured_at": self.clock.wall_s(),
                "captured_mono_s": self.clock.monotonic_s(),
                "simulated": camera.simulated,
            }
            if camera.simulated:
                self._wait_for_reader()
                meta |= {"captured_at": self.clock.wall_s(), "captured_mono_s": self.clock.monotonic_s()}
            try:
                self._count = self.frames.write(meta, {"picture": picture})
            except ValueError as error:
                raise CameraError(f"{self.config.source}: picture too large: {error}") from error
            self._tell("live", self._skipped)
            self._pace()

    def _read(self, camera: Camera) -> Picture | None:
        """Read on past a picture file that is damaged; a lens that fails is opened again instead."""
        while True:
            try:
                return camera.read()
            except CameraError as error:
                if not camera.simulated:
                    raise
                self._skipped = f"skipped {error}"
                log.warning("%s", self._skipped)

    def _wait_for_reader(self) -> None:
        """Of files no picture may be skipped: wait until the last one was inspected."""
        told = self.clock.monotonic_s()
        while self.frames.consumed < self.frames.latest:
            time.sleep(0.002)
            if self.clock.monotonic_s() - told > 0.5:  # waiting is not hanging
                told = self.clock.monotonic_s()
                self._tell("live", self._skipped)

    def _pace(self) -> None:
        if self.config.fps is None:
            return
        now = self.clock.monotonic_s()
        self._next_at = max((self._next_at or now) + 1 / self.config.fps, now)
        time.sleep(self._next_at - now)

    def _tell(self, state: CameraState, detail: str) -> None:
        self.state.write(
            {"state": state, "detail": detail, "frames": self._count, "told_mono_s": self.clock.monotonic_s()}, {}
        )
