"""Examples: pictures at the size they are trained at, with objects that can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.region import Box
from models.annotation import IGNORE
from models.datasets import read_split
from models.example import Example, Spot, read_example, spots
from models.recipe import Recipe
from quantize.toy import write_toy_pictures
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe.model_validate(TOY | {"input": {"width": 160, "height": 96}})


def test_truth_is_halved_with_its_picture(tmp_path: Path) -> None:
    samples = read_split(write_toy_pictures(tmp_path / "toys", train=3, val=1, test=1), "train")
    for sample in samples:
        picture, classes, objects = read_example(sample, RECIPE)
        assert picture.shape == (96, 160, 3)
        assert classes.shape == objects.shape == (96, 160)
        red = (picture[:, :, 2] > 200) & (picture[:, :, 0] < 60)
        assert (red != (classes == 1)).mean() < 0.01
        assert ((objects > 0) == (classes == 1)).all()  # nobody numbered them: blobs are


def test_each_object_is_listed_with_its_box_and_class() -> None:
    classes = np.zeros((20, 30), np.uint8)
    objects = np.zeros((20, 30), np.uint16)
    classes[2:5, 3:10], objects[2:5, 3:10] = 1, 9
    classes[10:20, 25:30], objects[10:20, 25:30] = 2, 4
    classes[0, :] = IGNORE
    found = spots(Example(np.zeros((20, 30, 3), np.uint8), classes, objects))
    assert found == [Spot(2, 4, Box(25, 10, 5, 10)), Spot(1, 9, Box(3, 2, 7, 3))]


def test_an_empty_picture_has_no_objects() -> None:
    nothing = np.zeros((8, 8), np.uint8)
    assert spots(Example(np.zeros((8, 8, 3), np.uint8), nothing, nothing.astype(np.uint16))) == []
