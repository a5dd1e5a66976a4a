"""Regions of interest on frames and grids."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import PictureError
from edge.region import Box
from edge.tiles.roi import area_of, drawn


def test_without_one_all_of_the_frame_matters() -> None:
    assert area_of(None, 640, 480) == Box(0, 0, 640, 480)
    assert drawn(None, Box(0, 0, 640, 480), (64, 48)) is None


def test_a_rectangle_is_its_own_area() -> None:
    roi = ((10, 20), (110, 20), (110, 60), (10, 60))
    area = area_of(roi, 640, 480)
    assert area == Box(10, 20, 100, 40)
    assert drawn(roi, area, (50, 20)) is None


def test_a_polygon_is_drawn_on_the_grid_of_its_rectangle() -> None:
    roi = ((100, 100), (300, 100), (100, 300))
    area = area_of(roi, 640, 480)
    plane = drawn(roi, area, (100, 100))
    assert area == Box(100, 100, 200, 200)
    assert plane is not None
    assert np.count_nonzero(plane) == pytest.approx(100 * 100 / 2, rel=0.03)
    assert plane[10, 10] == 1
    assert plane[90, 90] == 0


def test_one_that_leaves_the_frame_is_refused() -> None:
    with pytest.raises(PictureError, match="roi reaches to 700, 60, the picture has 640x480 pixels: draw it anew"):
        area_of(((10, 20), (700, 20), (700, 60)), 640, 480)
