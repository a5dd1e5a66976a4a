"""Guide: leads somebody with a printed board through a calibration, picture by picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge import cameras
from edge.cameras import Nothing
from edge.capture.coverage import Coverage, coverage
from edge.frame import Shot
from edge.geometry.calibration import calibrate
from edge.pictures.image import bgr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.camera_config import CameraConfig
    from edge.geometry.board import Board, Sighting
    from edge.geometry.calibration import Calibration
    from edge.picture import Picture

_NEW = 0.08
"""Share of the picture by which corners must have moved, on average, to teach something new."""
_STILL = 0.002
_STILL_VIEWS = 3
_ENOUGH = 12
MOST = 60
"""Views beyond which no more are gathered: fitting takes longer with each, and teaches no more."""


@dataclass(slots=True)
class Guide:
    """Takes pictures in which the board lies still somewhere new; the last one is the plane."""

    board: Board
    views: int = _ENOUGH
    sightings: list[Sighting] = field(default_factory=list)
    plane: Sighting | None = None
    size: tuple[int, int] = (0, 0)
    seen: Sighting | None = field(init=False, default=None)  # in the last picture
    covered: Coverage = field(init=False, default_factory=Coverage)  # by the views together
    _still: int = field(init=False, default=0)

    @property
    def done(self) -> bool:
        """Say whether there is enough."""
        return self.plane is not None

    @property
    def still(self) -> float:
        """Say how long the board has been lying still, from 0 to 1, which is long enough."""
        return min(self._still / _STILL_VIEWS, 1.0)

    def advice(self) -> str:
        """Say what to do next."""
        if len(self.sightings) < self.views:
            return f"{len(self.sightings)} of {self.views}: {self.next_view()}"
        return "last: lay the board where parts will lie, and take your hands away"

    def next_view(self) -> str:
        """Say which view of the board would teach most."""
        if not self.sightings:
            return "hold the board upright before the camera, as large as it fits, and still"
        place, lean = self.covered.missing_place(), self.covered.missing_lean()
        tilt = f"tilted, its {lean} edge nearer to the camera" if lean else "tilted another way"
        return f"hold the board {place or 'anywhere'}, {tilt}, and still"

    def take(self, picture: Picture) -> bool:
        """Look at one picture; give whether it was kept, the last one as the plane."""
        if not self.look(picture):
            return False
        if len(self.sightings) < self.views:
            self.keep()
        else:
            self.plane = self.seen
        return True

    def look(self, picture: Picture) -> bool:
        """Look at one picture; give whether the board lies still, and elsewhere than in the view before."""
        self.size = (picture.shape[1], picture.shape[0])
        last, self.seen = self.seen, self.board.see(picture)
        self._still = self._still + 1 if _moved(self.seen, last, self.size[0]) < _STILL else 0
        return self.still == 1 and all(_moved(self.seen, one, self.size[0]) >= _NEW for one in self.sightings[-1:])

    def keep(self) -> None:
        """Keep what was seen last as another view."""
        if self.seen is not None and len(self.sightings) < MOST:
            self.sightings.append(self.seen)
            self.covered = coverage(self.sightings, self.size)
            self._still = 0

    def forget(self) -> None:
        """Begin again without views."""
        self.sightings.clear()
        self.covered = Coverage()

    def calibrate(self) -> Calibration:
        """Fit what was seen. Raises PictureError."""
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
