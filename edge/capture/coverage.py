"""Coverage: which parts of the picture and which tilts the views of a board show, and so what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.geometry.board import Sighting

Lean = Literal["left", "right", "upper", "lower"]
"""The board's edge that is nearer to the camera."""

_INNER = (0.25, 0.75)
"""Shares of width and height between which the middle lies: lenses bend most near the edges, so these must be seen."""
PLACES = (
    "in the upper left", "at the top", "in the upper right",
    "at the left", "in the middle", "at the right",
    "in the lower left", "at the bottom", "in the lower right",
)  # fmt: skip
_LEANS: tuple[Lean, ...] = ("left", "right", "upper", "lower")
_TILTED = 0.2
"""Sine of the angle from which a board is tilted: without perspective nothing tells focal length from distance."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a set of views shows."""

    cells: tuple[bool, ...] = (False,) * len(PLACES)  # parts of the picture, as `PLACES` names them
    leans: frozenset[Lean] = frozenset()

    @property
    def whole(self) -> bool:
        """Say whether nothing is missing."""
        return all(self.cells) and len(self.leans) == len(_LEANS)

    def missing_place(self) -> str | None:
        """Name a part of the picture where no corner was seen, the middle first."""
        order = sorted(range(len(PLACES)), key=lambda cell: cell != len(PLACES) // 2)
        return next((PLACES[cell] for cell in order if not self.cells[cell]), None)

    def missing_lean(self) -> Lean | None:
        """Name a tilt that was not seen."""
        return next((lean for lean in _LEANS if lean not in self.leans), None)


def coverage(sightings: Iterable[Sighting], size: tuple[int, int]) -> Coverage:
    """Sum up views of pictures of one size, width and height."""
    cells, leans = np.zeros(len(PLACES), bool), set[Lean]()
    for sighting in sightings:
        column, row = np.searchsorted(_INNER, sighting.in_picture_px / size).T
        cells[row * (len(_INNER) + 1) + column] = True
        leans |= _leans(sighting, size)
    return Coverage(tuple(bool(cell) for cell in cells), frozenset(leans))


def _leans(sighting: Sighting, size: tuple[int, int]) -> set[Lean]:
    """Tell how a board is tilted, through a lens that is guessed to see as far to the side as it is long."""
    width, height = size
    guess = np.array([[max(size), 0, width / 2], [0, max(size), height / 2], [0, 0, 1]], np.float64)
    found, turn, _ = cv2.solvePnP(sighting.on_board_mm, sighting.in_picture_px, guess, None)
    if not found:
        return set()
    x, y = cv2.Rodrigues(turn)[0][:2, 2]  # of the normal that points away from the camera
    tilted: dict[Lean, bool] = {"right": x > _TILTED, "left": x < -_TILTED, "lower": y > _TILTED, "upper": y < -_TILTED}
    return {lean for lean, so in tilted.items() if so}
