"""Explain: the heat lies on what a decision rests on, wherever that is, and costs what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.explain import LOOKS, cover, explain, hottest

if TYPE_CHECKING:
    from edge.picture import Picture

SPOT, CORNER = (slice(40, 64), slice(90, 120)), (slice(0, 12), slice(0, 12))
RED, BLUE = (0, 0, 255), (255, 0, 0)


@pytest.fixture
def picture() -> Picture:
    """Noisy grey with a red spot and a blue corner."""
    made = np.random.default_rng(0).integers(100, 140, (96, 160, 3)).astype(np.uint8)
    made[SPOT], made[CORNER] = RED, BLUE
    return made


def red_is_left(shown: Picture) -> float:
    return float((shown[SPOT][..., 2] > 220).mean())


def corner_is_blue(shown: Picture) -> float:
    return float((shown[CORNER][..., 0] > 220).mean())


def test_the_heat_lies_on_what_is_missed(picture: Picture) -> None:
    heat = explain(picture, red_is_left)
    one_place_around = heat[24:80, 74:136]
    assert one_place_around.sum() > 0.95 * heat.sum()
    assert heat.max() == heat[SPOT].max() == 1


def test_the_heat_lies_beside_the_object_where_that_is_what_decides(picture: Picture) -> None:
    heat = explain(picture, corner_is_blue)
    assert heat[:20, :20].sum() > 0.95 * heat.sum()
    assert heat[SPOT].max() == 0


def test_other_decisions_about_one_picture_have_other_maps(picture: Picture) -> None:
    one, other = explain(picture, red_is_left), explain(picture, corner_is_blue)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.1


def test_what_speaks_against_a_decision_has_no_heat(picture: Picture) -> None:
    assert not explain(picture, lambda shown: 1 - red_is_left(shown)).any()


def test_a_decision_that_rests_on_nothing_has_no_heat(picture: Picture) -> None:
    assert not explain(picture, lambda _: 0.9).any()


def test_the_network_is_asked_no_more_often_than_said_and_the_picture_stays(picture: Picture) -> None:
    before, shown = picture.copy(), []

    def certainty(one: Picture) -> float:
        shown.append(one)
        return red_is_left(one)

    explain(picture, certainty)
    assert LOOKS / 4 < len(shown) <= LOOKS + 1
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("size", [(32, 32), (32, 640), (97, 61), (256, 256)])
def test_pictures_of_any_shape_are_explained(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 128, np.uint8)
    top, left = size[0] // 2, size[1] // 2
    picture[top : top + 8, left : left + 8] = RED
    heat = explain(picture, lambda shown: float((shown[..., 2] > 220).sum()) / 64)
    assert heat.shape == size
    assert heat.min() >= 0
    assert heat[top - 8 : top + 16, left - 8 : left + 16].max() == 1


def test_covering_removes_the_spot(picture: Picture) -> None:
    assert red_is_left(cover(picture)) == 0


def test_the_hottest_pixels_are_marked() -> None:
    heat = np.arange(100, dtype=np.float32).reshape(10, 10)
    marked = hottest(heat, 0.05)
    assert marked.sum() == 5
    assert heat[marked].min() == 95
