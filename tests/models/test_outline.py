"""Outlines: filled again, they give back every pixel, holes and detached parts included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.rle import Rle, encode
from models.outline import outline
from models.shapes import polygons


def runs(pixels: np.ndarray) -> Rle:
    return encode(pixels, 0, 0, pixels.shape[1], pixels.shape[0])


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)))
def test_filling_an_outline_gives_its_pixels_back(pixels: np.ndarray) -> None:
    pixels.flat[0] = 1
    assert polygons([outline(runs(pixels)).points.astype(float)], *pixels.shape) == runs(pixels)


def test_a_rectangle_has_four_corners() -> None:
    pixels = np.zeros((9, 9), np.uint8)
    pixels[2:5, 3:8] = 1
    points, rings = outline(runs(pixels))
    assert sorted(points.tolist()) == [[3, 2], [3, 5], [8, 2], [8, 5]]
    assert rings == 1


def test_parts_and_holes_are_rings() -> None:
    pixels = np.ones((9, 20), np.uint8)
    pixels[:, 10] = 0
    pixels[4, 4] = 0
    assert outline(runs(pixels)).rings == 3


def test_nothing_has_no_outline() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        outline(runs(np.zeros((3, 3), np.uint8)))
