"""Region of interest: the part of a frame that is looked at at all, by the corners of its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import PictureError
from edge.region import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.mask import Plane
    from edge.tile_config import Corner

_SHIFT = 8
"""Bits of a fraction of a grid pixel in `cv2.fillPoly`."""


def area_of(roi: Sequence[Corner] | None, width: int, height: int) -> Box:
    """Give the rectangle around the region of interest; the whole frame where there is none.

    Raises:
        PictureError: it does not lie on a frame of that size.
    """
    across, down = zip(*(roi or ((0, 0), (width, height))), strict=True)
    right, bottom = max(across), max(down)
    if right > width or bottom > height:
        raise PictureError(f"roi reaches to {right}, {bottom}, the picture has {width}x{height} pixels: draw it anew")
    return Box(min(across), min(down), right - min(across), bottom - min(down))


def drawn(roi: Sequence[Corner] | None, area: Box, grid: tuple[int, ...]) -> Plane | None:
    """Draw it on a grid of (width, height) over its rectangle, 1 inside; none where it fills the rectangle."""
    x, y, width, height = area
    if roi is None or {*roi} == {(x, y), (x + width, y), (x + width, y + height), (x, y + height)}:
        return None
    centres = (np.array(roi) - (x, y)) * grid / (width, height) - 0.5
    plane = np.zeros(grid[::-1], np.uint8)
    cv2.fillPoly(plane, [np.rint(centres * (1 << _SHIFT)).astype(np.int32)], 1, shift=_SHIFT)
    return plane
