"""Shapes: the COCO tools' rule, and drawings that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from edge.rle import decode
from models.shapes import MAX_OUTLINE_PX, ellipse, polygons, union

HEIGHT, WIDTH = 24, 32
SQUARE = [4.0, 4.0, 12.0, 4.0, 12.0, 12.0, 4.0, 12.0]

numbers = st.floats(-WIDTH / 2, 1.5 * HEIGHT, allow_nan=False)
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12).map(lambda r: [v for point in r for v in point])


@given(rings)
def test_an_outline_is_filled_as_the_coco_tools_fill_it(ring: list[float]) -> None:
    (theirs,) = coco.frPyObjects([ring], HEIGHT, WIDTH)
    assert polygons([ring], HEIGHT, WIDTH).counts == str(theirs["counts"], "ascii")


@given(st.lists(rings, min_size=1, max_size=4))
def test_a_union_marks_what_any_part_marks(several: list[list[float]]) -> None:
    parts = [polygons([ring], HEIGHT, WIDTH) for ring in several]
    expected = np.any([decode(part) for part in parts], axis=0)
    assert np.array_equal(decode(union(parts)), expected)
    assert polygons(several, HEIGHT, WIDTH) == union(parts)


def test_detached_parts_are_one_shape() -> None:
    far = [v + 10 for v in SQUARE]
    assert decode(polygons([SQUARE, far], HEIGHT, WIDTH)).sum() == 2 * 64


def test_what_two_outlines_cover_is_marked_once() -> None:
    near = [v + 4 for v in SQUARE]
    assert decode(polygons([SQUARE, near], HEIGHT, WIDTH)).sum() == 2 * 64 - 16


def test_points_may_be_pairs() -> None:
    pairs = np.array(SQUARE).reshape(-1, 2)
    assert polygons([pairs], HEIGHT, WIDTH) == polygons([SQUARE], HEIGHT, WIDTH)


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    assert decode(polygons([[-8, -8, 8, -8, 8, 8, -8, 8]], HEIGHT, WIDTH)).sum() == 64


@pytest.mark.parametrize(
    ("rings", "reason"),
    [
        ([], "has no outline"),
        ([[]], "0 points"),
        ([[1, 1, 2, 2]], "2 points: at least three"),
        ([[1, 1, 2, 2, 3]], r"2\.5 points"),
        ([[1, 1, 2, 2, 3, math.nan]], "not finite"),
        ([[1, 1, 2, 2, 3, math.inf]], "not finite"),
        ([[1, 1, 2, 2, 3, 1e300]], r"the point \(3, 1e\+300\) lies far outside the picture of 32x24"),
        ([[0, 0, WIDTH, HEIGHT] * (MAX_OUTLINE_PX // WIDTH)], "longer than"),
    ],
)
def test_an_outline_that_is_none_is_refused(rings: list[list[float]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        polygons(rings, HEIGHT, WIDTH)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, 2.0])
def test_an_ellipse_covers_its_area(angle: float) -> None:
    assert decode(ellipse((16, 12), (9, 4), angle, HEIGHT, WIDTH)).sum() == pytest.approx(math.pi * 36, rel=0.05)


@pytest.mark.parametrize(
    ("centre", "radii", "angle", "reason"),
    [
        ((math.nan, 0.0), (1.0, 1.0), 0.0, "not finite"),
        ((0.0, 0.0), (math.inf, 1.0), 0.0, "not finite"),
        ((0.0, 0.0), (1.0, 1.0), math.nan, "not finite"),
        ((0.0, 0.0), (1e9, 1.0), 0.0, "larger than the picture"),
        ((0.0, 0.0), (1.0, -1e9), 0.0, "far outside"),
        ((1e9, 0.0), (1.0, 1.0), 0.0, "far outside"),
    ],
)
def test_an_ellipse_that_is_none_is_refused(
    centre: tuple[float, float], radii: tuple[float, float], angle: float, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        ellipse(centre, radii, angle, HEIGHT, WIDTH)
