"""Capture: one camera in a process of its own; frames go into a slot, the camera's state into another."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge import cameras, triggers
from edge.bell import Bell, inspection_bell, taken_bell
from edge.camera_state import SOUND, CameraTold, state_slot
from edge.cameras import Nothing
from edge.capture.clip import ClipKeeper
from edge.capture.raw import RawShelf
from edge.capture.shutter import Shutter
from edge.child import become_child
from edge.clock import SystemClock
from edge.errors import CameraError, CameraRefusedError, CameraStalledError, ConfigError, PictureError
from edge.fitness.examine import Examiner
from edge.fitness.look import look_at
from edge.geometry.straighten import Geometry
from edge.picture import MAX_PIXELS
from edge.pictures.image import pack
from edge.slot import Slot
from edge.triggers import Place

if TYPE_CHECKING:
    from pathlib import Path

    from edge.camera_config import CameraConfig
    from edge.camera_state import CameraState
    from edge.cameras import Camera
    from edge.clock import Clock
    from edge.config import Config
    from edge.fitness.examine import Examined
    from edge.triggers import Trigger

log = logging.getLogger(__name__)

FRAME_CAPACITY = MAX_PIXELS * 3 + 4096
"""Bytes a frame slot has room for; memory is used only for what was written."""
RETRY_S = (0.25, 1.5)
"""Pause before a camera that failed is opened again, growing from the first to the second."""
REFUSED_S = (5.0, 120.0)
"""The same after a wrong password: cameras lock accounts that try too often."""
_TELL_S = 0.5
_UNWANTED_S = 0.03
_REST_S = 5.0
"""A camera that nobody wants for longer is closed meanwhile; opening takes about a second."""
_READER_S = 10.0
"""How long a part's picture waits for the inspection before the next takes its place."""


def frame_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where the frames of `camera` cross."""
    return runtime_dir / f"{camera}.frames"


def run_capture(name: str, config: Config) -> None:
    """Be the capture process of one camera until killed: open, read, publish, and open again after a fault."""
    become_child(f"edgeloupe camera {name}")
    runtime_dir = config.storage.runtime_dir
    with Slot(frame_slot(runtime_dir, name)) as frames, Slot(state_slot(runtime_dir, name)) as state:
        Capture(name, config, frames, state, SystemClock()).run()


@dataclass(slots=True)
class Capture:
    """The camera's loop."""

    name: str
    device: Config
    frames: Slot
    state: Slot
    clock: Clock
    config: CameraConfig = field(init=False)
    _told: CameraTold = field(init=False)
    _bell: Bell = field(init=False)
    _took: Bell = field(init=False)
    _examiner: Examiner = field(init=False)
    _geometry: Geometry = field(init=False)
    _clip: ClipKeeper = field(init=False)
    _shelf: RawShelf = field(init=False)
    _trigger: Trigger = field(init=False)
    _next_at: float = field(init=False, default=0.0)
    _skipped: str = field(init=False, default="")
    _picture_mono_s: float = field(init=False, default=0.0)  # when the last sound shot came
    _burst: list[Examined] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.device.cameras[self.name]
        runtime_dir = self.device.storage.runtime_dir
        self._bell, self._took = Bell(inspection_bell(runtime_dir)), Bell(taken_bell(runtime_dir, self.name))
        # told by the process before this one: a fault stays until a picture disproves it
        self._told = replace(CameraTold.read(self.state), frames=self.frames.latest, given=False)

    def run(self) -> None:
        """Capture for ever; a source that ends by itself is finished and stays so."""
        place = Place(device=self.device.device, camera=self.name, mqtt=self.device.mqtt)
        while True:  # files of the configuration may be put right while we run
            try:
                self._prepare()
                self._trigger = triggers.create(self.config, place)
                break
            except ConfigError as error:
                self._complain("failed", str(error))
                time.sleep(RETRY_S[1])
        with self._trigger:
            self._open_for_ever()

    def _prepare(self) -> None:
        self._geometry = Geometry(self.config.geometry)
        self._examiner = Examiner(self.config, self.device.picture, self.clock, self._told.expected)
        self._clip = ClipKeeper(self.config.clip, self.device.storage, self.name, self.clock)
        self._shelf = RawShelf(self.device.storage.runtime_dir, self.name)

    def _open_for_ever(self) -> None:
        wait_s = RETRY_S[0]
        while True:
            self._rest()
            self._told = replace(self._told, given=False)  # opening may take as long as the first picture
            if self._told.state in SOUND:
                self._tell("connecting", self.config.source)
            else:
                self._tell(self._told.state, self._told.detail)
            self._picture_mono_s, span_s = 0.0, RETRY_S
            self._examiner.begin()
            try:
                with cameras.create(self.config, self.device.mqtt) as camera:
                    if self._stream(camera) is Nothing.MORE:
                        break
                    continue  # it was closed because nobody wants a picture for long
            except CameraRefusedError as error:
                self._complain("refused", str(error))
                span_s = REFUSED_S
            except CameraStalledError as error:
                self._complain("stalled", str(error))
            except CameraError as error:
                self._complain("failed", str(error))
            wait_s = span_s[0] if self._picture_mono_s else min(max(2 * wait_s, span_s[0]), span_s[1])
            self._pause(wait_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
        self._tell("finished", self._skipped or "the source has no more pictures")
        while True:
            self._idle(2 * _TELL_S)

    def _pause(self, seconds: float) -> None:
        """Wait and say so: waiting is not hanging."""
        until = self.clock.monotonic_s() + seconds
        while (left_s := until - self.clock.monotonic_s()) > 0:
            self._tell(self._told.state, self._told.detail)
            self._idle(min(left_s, _TELL_S))

    def _idle(self, seconds: float) -> None:
        """Wait without a picture: the clip of what was seen last need not wait for the next one."""
        self._clip.tend(self.clock.monotonic_s())
        time.sleep(seconds)

    def _rest(self) -> None:
        """Keep the camera closed while surely nobody wants a picture."""
        while (rest_s := self._trigger.ask(None, self.clock.monotonic_s()).rest_s) > _TELL_S:
            self._tell("waiting", f"closed for {rest_s:.0f} s until the next picture is due")
            self._idle(min(rest_s, 2 * _TELL_S))

    def _stream(self, camera: Camera) -> Nothing | None:
        """Read until the source ends; None when nobody wants a picture for long."""
        shutter = Shutter(camera, self._trigger, self.clock)
        while True:
            try:
                shot = shutter.read(again=bool(self._burst))
                if shot is Nothing.MORE:
                    return shot
                if isinstance(shot, Nothing):
                    self._quiet(shutter.last.trouble)
                    if shutter.last.rest_s > _REST_S and not self._burst:
                        return None
                    continue
                now = self.clock.monotonic_s()
                self._shelf.offer(shot.picture, now)
                examined = self._examiner.examine(
                    shot, self._geometry, now, steady=not camera.each_counts, wanted=self.frames.wanted
                )
            except PictureError as error:
                self._damaged(str(error), simulated=camera.simulated)
                continue
            self._picture_mono_s = now
            self._clip.keep(examined.picture, shot.packet, examined.taken_mono_s)
            demand = shutter.ask(examined.picture, now)
            if self._burst or demand.wanted:
                self._want(camera, examined)
            elif camera.simulated:  # a file has no rate of its own
                time.sleep(_UNWANTED_S)
            self._tell_picture(examined, demand.trouble)
            if demand.rest_s > _REST_S and not self._burst:
                return None

    def _want(self, camera: Camera, examined: Examined) -> None:
        """Hand on a picture that is wanted, by itself or as one of a burst."""
        free = self.config.trigger.kind == "free"
        if free and self.config.burst == 1:
            if self._paced(camera):
                self._publish(camera, examined, None)
            return
        self._burst.append(examined)
        if len(self._burst) < self.config.burst:
            return
        burst, self._burst = self._burst, []
        if self.config.pick == "sharpest":
            burst = [max(burst, key=lambda one: look_at(one.picture).step)]
        for number, one in enumerate(burst, start=1):
            self._publish(camera, one, (number, len(burst)))

    def _publish(self, camera: Camera, examined: Examined, burst: tuple[int, int] | None) -> None:
        if camera.each_counts:
            self._wait_for_reader(None)
            now = self.clock.monotonic_s()
            examined = replace(examined, taken_mono_s=now)
        elif burst is not None:
            self._wait_for_reader(_READER_S)
        words, arrays = pack(examined.picture)
        meta: dict[str, Any] = {
            "id": self._told.frames + 1,
            "captured_at": self.clock.wall_s() - (self.clock.monotonic_s() - examined.taken_mono_s),
            "captured_mono_s": examined.taken_mono_s,
            "simulated": camera.simulated,
            "faults": [str(fault) for fault in examined.faults],
            "mm_per_px": self._geometry.mm_per_px,
            "burst": burst,
            "awaited": camera.each_counts or burst is not None,
            "image": words,
        }
        try:
            count = self.frames.write(meta, arrays)
        except ValueError as error:
            raise CameraError(f"{self.config.source}: picture too large: {error}") from error
        self._bell.ring()
        self._told = replace(self._told, frames=count)

    def _wait_for_reader(self, limit_s: float | None) -> None:
        """Of files and parts no picture may be skipped: wait until the last one was inspected."""
        began = told = self.clock.monotonic_s()
        while self.frames.consumed < self.frames.latest:
            self._took.wait(_TELL_S)
            now = self.clock.monotonic_s()
            if limit_s is not None and now - began > limit_s:
                return
            if now - told > _TELL_S:  # waiting is not hanging
                told = now
                self._tell("live", self._skipped)

    def _paced(self, camera: Camera) -> bool:
        """Keep to the rate asked for: of files by waiting, of a lens by leaving pictures out."""
        if self.config.fps is None:
            return True
        now = self.clock.monotonic_s()
        if camera.each_counts:
            self._next_at = max((self._next_at or now) + 1 / self.config.fps, now)
            time.sleep(self._next_at - now)
            return True
        if now < self._next_at - 0.25 / self.config.fps:  # a quarter early is nearer than a whole period late
            return False
        self._next_at = max(self._next_at + 1 / self.config.fps, now)
        return True

    # --- what is told

    def _tell_picture(self, examined: Examined, trouble: str) -> None:
        state: CameraState
        if examined.faults:
            first = examined.faults[0]
            state, detail = first.kind, first.detail
        elif trouble:
            state, detail = "failed", trouble
        else:
            state, detail = "live", self._skipped
        self._told = replace(
            self._told,
            given=True,
            expected=self._examiner.expected,
            brightness=examined.brightness,
            colour=examined.colour,
            temperature_c=examined.temperature_c,
        )
        self._tell(state, detail)

    def _damaged(self, why: str, *, simulated: bool) -> None:
        """Read on past a picture that is damaged."""
        if simulated:
            self._skipped = f"skipped {why}"
            log.warning("%s", self._skipped)
        else:
            self._complain("damaged", why)

    def _quiet(self, trouble: str) -> None:
        """Tell that nothing came: of a source that others feed this is no fault unless it lasts longer than agreed."""
        now = self.clock.monotonic_s()
        self._picture_mono_s = self._picture_mono_s or now
        silent_s = now - self._picture_mono_s
        self._clip.tend(now)
        if self.config.stall_s is not None and silent_s > self.config.stall_s:
            self._complain("stalled", f"nobody sent a picture for {self.config.stall_s:.0f} s")
        elif trouble:
            self._complain("failed", trouble)
        else:
            self._tell("waiting", "for somebody to send a picture")

    def _complain(self, state: CameraState, detail: str) -> None:
        if (state, detail) != (self._told.state, self._told.detail):  # once, not at every try
            log.warning("%s", detail)
        self._tell(state, detail)

    def _tell(self, state: CameraState, detail: str) -> None:
        told = replace(self._told, state=state, detail=detail, told_mono_s=self.clock.monotonic_s())
        if state != self._told.state and state not in (*SOUND, "connecting"):
            told.troubles[state] = told.troubles.get(state, 0) + 1
        self._told = told
        told.write(self.state)
