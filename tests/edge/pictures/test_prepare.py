"""Resizing for the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.pictures.prepare import halve, prepare


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 40), st.integers(1, 40))
def test_any_picture_comes_out_at_the_size_asked_for(h: int, w: int, height: int, width: int) -> None:
    assert prepare(np.zeros((h, w, 3), np.uint8), width, height).shape == (height, width, 3)


def test_a_picture_of_the_right_size_is_untouched() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    assert np.array_equal(prepare(picture, 64, 32), picture)


def test_a_single_bright_pixel_is_averaged_in_not_skipped() -> None:
    """Eight times larger: plain linear interpolation would step over most positions."""
    for position in range(8):
        picture = np.zeros((256, 512, 3), np.uint8)
        picture[100 + position, 200 + position] = 255
        assert int(prepare(picture, 64, 32).sum()) == pytest.approx(3 * 255 / 64, abs=3)


def test_halving_stops_below_a_factor_of_two() -> None:
    assert halve(np.zeros((1024, 2048, 3), np.uint8), 640, 320).shape == (512, 1024, 3)
    assert halve(np.zeros((1080, 1920, 3), np.uint8), 640, 320).shape == (540, 960, 3)
