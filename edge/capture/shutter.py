"""Shutter: reads a camera; where a program has to release it, when the trigger wants a picture."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edge.cameras import Nothing, release_of
from edge.errors import PictureError
from edge.triggers import Demand

if TYPE_CHECKING:
    from edge.cameras import Camera
    from edge.clock import Clock
    from edge.frame import Shot
    from edge.picture import Picture
    from edge.pictures.image import Image
    from edge.triggers import Trigger

_LOOK_S = 0.003
_WAIT_S = 0.5
_RELEASED = Demand(wanted=True)
_NOT_YET: Picture = np.zeros((1, 1, 3), np.uint8)
"""Stands for the picture that a camera would take now."""


class Shutter:
    """One opened camera and its trigger. Belongs to the thread of both."""

    def __init__(self, camera: Camera, trigger: Trigger, clock: Clock) -> None:
        self._camera, self._trigger, self._clock = camera, trigger, clock
        self._release = release_of(camera)
        self._released = False
        self.last = Demand()  # what the trigger said last

    def read(self, *, again: bool) -> Shot | Nothing:
        """Read as `Camera.read` does; a camera that has to be released is so when a picture is wanted, or `again`."""
        if self._release is not None and not self._released and (again or self._wanted()):
            self._release()
            self._released = True
        try:
            shot = self._camera.read()
        except PictureError:
            self._released = False
            raise
        self._released &= shot is Nothing.YET
        return shot

    def ask(self, picture: Image, now_mono_s: float) -> Demand:
        """Say whether the picture that was read is wanted: one that was taken for the trigger is."""
        self.last = _RELEASED if self._release is not None else self._trigger.ask(picture, now_mono_s)
        return self.last

    def _wanted(self) -> bool:
        """Wait a little for the trigger."""
        until = self._clock.monotonic_s() + _WAIT_S
        while True:
            now = self._clock.monotonic_s()
            self.last = self._trigger.ask(_NOT_YET, now)
            if self.last.wanted or now >= until:
                return self.last.wanted
            time.sleep(_LOOK_S)
