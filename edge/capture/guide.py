"""Guide: leads somebody with a printed board through a calibration, picture by picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge import cameras
from edge.cameras import Nothing
from edge.errors import PictureError
from edge.frame import Shot
from edge.geometry.calibration import FEWEST, calibrate
from edge.pictures.image import bgr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.camera_config import CameraConfig
    from edge.frame import Picture
    from edge.geometry.board import Board, Sighting
    from edge.geometry.calibration import Calibration

_NEW = 0.08
"""Share of the picture by which corners must have moved, on average, to teach something new."""
_STILL = 0.002
_STILL_VIEWS = 3


@dataclass(slots=True)
class Guide:
    """Takes pictures in which the board lies still somewhere new; the last one is the plane."""

    board: Board
    views: int
    sightings: list[Sighting] = field(default_factory=list)
    plane: Sighting | None = None
    size: tuple[int, int] = (0, 0)
    _last: Sighting | None = field(init=False, default=None)
    _still: int = field(init=False, default=0)

    @property
    def done(self) -> bool:
        """Say whether there is enough."""
        return self.plane is not None

    def advice(self) -> str:
        """Say what to do next."""
        if len(self.sightings) < self.views:
            part = ("near the middle", "into a corner, tilted", "to an edge, tilted the other way", "nearer")
            number = len(self.sightings)
            return f"{number} of {self.views}: hold the board {part[number % len(part)]}, and still"
        return "last: lay the board where parts will lie, and take your hands away"

    def take(self, picture: Picture) -> bool:
        """Look at one picture; give whether it was kept."""
        self.size = (picture.shape[1], picture.shape[0])
        seen = self.board.see(picture)
        moved = _moved(seen, self._last, picture.shape[1])
        self._still = self._still + 1 if moved < _STILL else 0
        self._last = seen
        if seen is None or self._still < _STILL_VIEWS:
            return False
        if any(_moved(seen, known, picture.shape[1]) < _NEW for known in self.sightings[-1:]):
            return False
        self._still = 0
        if len(self.sightings) < self.views:
            self.sightings.append(seen)
        else:
            self.plane = seen
        return True

    def calibrate(self) -> Calibration:
        """Fit what was seen. Raises PictureError."""
        if len(self.sightings) < FEWEST - 1:
            raise PictureError(f"the board was seen in {len(self.sightings)} pictures: at least {FEWEST} are needed")
        return calibrate(self.sightings, plane=self.plane, size=self.size)


def look_through(config: CameraConfig, guide: Guide) -> Iterator[str]:
    """Read the camera until the guide has enough; give advice as it changes. Raises CameraError."""
    said = ""
    with cameras.create(config) as camera:
        while not guide.done:
            shot = camera.read()
            if shot is Nothing.MORE:
                return
            if isinstance(shot, Shot):
                guide.take(bgr(shot.picture))
            if guide.advice() != said:
                said = guide.advice()
                yield said


def _moved(one: Sighting | None, other: Sighting | None, width: int) -> float:
    """Give how far the corners that both show lie apart, as a share of the width; infinite when they share none."""
    if one is None or other is None:
        return float("inf")
    here = {tuple(where): at for where, at in zip(one.on_board_mm.tolist(), one.in_picture_px, strict=True)}
    there = {tuple(where): at for where, at in zip(other.on_board_mm.tolist(), other.in_picture_px, strict=True)}
    both = here.keys() & there.keys()
    if not both:
        return float("inf")
    return float(np.mean([np.linalg.norm(here[where] - there[where]) for where in both])) / width
