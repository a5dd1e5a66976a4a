"""Mask: what the network saw, class and score per pixel of its own grid, and how that grid lies on the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.region import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

Plane = NDArray[np.uint8]
"""(h, w) uint8."""


class NamedClass(Protocol):
    """What a class says of itself, wherever it is listed."""

    @property
    def name(self) -> str:
        """How it is called."""
        ...

    @property
    def between(self) -> str | None:
        """The class whose touching objects it keeps apart, where it is a border."""
        ...


def border_classes(classes: Sequence[NamedClass]) -> dict[int, int]:
    """Give, by the index of each class that is a border, the index of the class whose objects it keeps apart.

    Raises ValueError: a border lies between objects of no other class, or of the first.
    """
    places = {one.name: place for place, one in enumerate(classes) if place and one.between is None}
    for one in classes:
        if one.between is not None and one.between not in places:
            raise ValueError(f"classes: {one.name}: between = {one.between!r}: must be one of {', '.join(places)}")
    return {place: places[one.between] for place, one in enumerate(classes) if one.between is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How closely a frame was looked at, where not all of it was in a single look."""

    area: Box  # looked at at all
    tiles: int  # laid over it
    examined: tuple[Box, ...]  # those that were looked at one by one; the rest was seen reduced
    first_look: str | None = None  # sha256 of the bundle whose network saw the rest, where that is another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Class index and score of every pixel of the network's output grid.

    The grid covers `area`: grid pixel (x, y) spans area.width / w by area.height / h frame pixels.
    """

    classes: Plane  # index into the bundle's classes; a border counts as what it lies in
    scores: Plane  # probability of that class, 255 is 1.0
    frame_width: int
    frame_height: int
    borders: Plane | None = None  # 255 where objects of one class touch, 0 elsewhere; none if the network draws none
    coverage: Coverage | None = None  # none: the whole frame, in a single look

    @property
    def area(self) -> Box:
        """The part of the frame that was looked at."""
        return self.coverage.area if self.coverage else Box(0, 0, self.frame_width, self.frame_height)

    def shares(self, count: int) -> tuple[float, ...]:
        """Give the share of `area`, 0 to 1, that each of `count` classes covers."""
        return tuple(cv2.countNonZero(self.member(index)) / self.classes.size for index in range(count))

    def member(self, class_id: int) -> Plane:
        """Give 255 where the grid holds `class_id`, 0 elsewhere; (h, w) uint8."""
        return np.asarray(cv2.inRange(self.classes, class_id, class_id), np.uint8)

    def margin(self, class_id: int, rows: slice = slice(None), columns: slice = slice(None)) -> NDArray[np.int16]:
        """Say by how much `class_id` wins (positive) or loses (negative), -255 to 255, per grid pixel of that part.

        The boundary lies where the margin crosses zero, so it can be interpolated between grid pixels. Between two
        classes this is exact, p - (1 - p); where a third class has a share it is a close bound.
        """
        lead = np.maximum(2 * self.scores[rows, columns].astype(np.int16) - 255, 1)
        return np.where(self.classes[rows, columns] == class_id, lead, -lead)

    def over_frame(self, width: int, height: int) -> Plane:
        """Give the class map for a reduced frame: as it is where it covers all of it, else drawn on `width` x `height`.

        What was not looked at is class 0.
        """
        if self.area == (0, 0, self.frame_width, self.frame_height):
            return self.classes
        rows, columns = self.classes.shape
        down = ((np.arange(height) + 0.5) * self.frame_height / height - self.area.y) * rows / self.area.height
        across = ((np.arange(width) + 0.5) * self.frame_width / width - self.area.x) * columns / self.area.width
        inside = np.outer((down >= 0) & (down < rows), (across >= 0) & (across < columns))
        place = np.ix_(np.clip(down, 0, rows - 1).astype(int), np.clip(across, 0, columns - 1).astype(int))
        return np.asarray(self.classes[place] * inside, np.uint8)

    def on_frame(self) -> Plane:
        """Draw the class map at frame size, (frame_height, frame_width), with interpolated boundaries.

        What was not looked at is class 0. Costs a pass over the full frame for each class present: for files and
        scores, not for the hot path.
        """
        frame = np.zeros((self.frame_height, self.frame_width), np.uint8)
        left, top, width, height = self.area
        result = frame[top : top + height, left : left + width]
        present = [int(c) for c in np.unique(self.classes)]
        result[:] = present[0]
        if len(present) == 1:
            return frame
        best = np.full(result.shape, np.iinfo(np.int16).min, np.int16)
        for class_id in present:
            margin = cv2.resize(self.margin(class_id), (width, height), interpolation=cv2.INTER_LINEAR)
            wins = margin > best
            result[wins] = class_id
            best[wins] = margin[wins]
        return frame
