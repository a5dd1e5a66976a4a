"""Borders between touching objects, as training draws them and as regions come out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.mask import Mask
from edge.regions import regions
from models.borders import REACH, draw_borders
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPECS = (
    ClassSpec(name="tray"),
    ClassSpec(name="grain"),
    ClassSpec(name="husk"),
    ClassSpec(name="edge", between="grain"),
)


def grains(*centres: tuple[int, int], radius: int = 12) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Draw discs one after the other; give classes and numbers of objects."""
    classes, objects = np.zeros((64, 96), np.uint8), np.zeros((64, 96), np.uint16)
    for number, centre in enumerate(centres, start=1):
        cv2.circle(classes, centre, radius, 1, -1)
        cv2.circle(objects, centre, radius, number, -1)
    return classes, objects


def test_a_border_lies_on_both_sides_of_where_two_objects_touch() -> None:
    classes, objects = grains((30, 30), (48, 30))
    drawn = draw_borders(classes, objects, SPECS) == 3
    touching = cv2.dilate((objects == 1).astype(np.uint8), np.ones((2 * REACH + 1,) * 2)) > 0
    assert np.array_equal(drawn & (objects == 2), touching & (objects == 2))
    assert (drawn & (objects == 1)).any()
    assert not (drawn & (objects == 0)).any()


def test_objects_apart_and_those_of_other_classes_get_none() -> None:
    classes, objects = grains((20, 30), (60, 30))
    classes[20:40, 60:90] = 2
    objects[20:40, 60:90] = 3
    assert not (draw_borders(classes, objects, SPECS[:3]) == 3).any()
    assert not (draw_borders(*grains((20, 30), (60, 30)), SPECS) == 3).any()


def test_regions_of_what_was_drawn_are_the_objects() -> None:
    classes, objects = grains((20, 20), (40, 20), (30, 38), (70, 40), (70, 20))
    borders = np.where(draw_borders(classes, objects, SPECS) == 3, 255, 0).astype(np.uint8)
    mask = Mask(classes=classes, scores=np.full_like(classes, 200), frame_width=96, frame_height=64, borders=borders)
    found = regions(mask, [spec.name for spec in SPECS], ["grain"])
    assert len(found) == 5
    areas = sorted(np.bincount(objects.ravel())[1:].tolist())
    assert sorted(region.area_px for region in found) == pytest.approx(areas, abs=2)
