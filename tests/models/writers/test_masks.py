"""PNG masks as written: classes come back, and what a mask can't hold is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from edge.rle import encode
from models.datasets import open_dataset
from models.writers import Labelled, Thing, masks

if TYPE_CHECKING:
    from pathlib import Path


def thing(label: str, rows: slice, columns: slice, *, ignored: bool = False) -> Thing:
    pixels = np.zeros((10, 12), np.uint8)
    pixels[rows, columns] = 1
    return Thing(label, encode(pixels, 0, 0, 12, 10), ignored)


def write(root: Path, labels: list[str], things: list[Thing]) -> list[str]:
    one = Labelled("a.jpg", None, 10, 12, things)
    (root / "images").mkdir()
    Image.new("L", (12, 10)).save(root / masks.place(one))
    return masks.write([one], labels, root)


def read(root: Path) -> dict[str, np.ndarray]:
    (sample,) = open_dataset(root).sound().samples
    return {mark.label + "!" * mark.ignored: mark.inside() for mark in sample.marks()}


def test_classes_names_and_ignored_pixels_come_back(tmp_path: Path) -> None:
    labels = ["Riß", "#00b000", "crack", "Crack"]
    things = [thing(label, slice(n, n + 1), slice(0, 5)) for n, label in enumerate(labels)]
    assert write(tmp_path, labels, [*things, thing("Riß", slice(8, 9), slice(0, 12), ignored=True)]) == []
    found = read(tmp_path)
    assert {label: int(inside.sum()) for label, inside in found.items()} == {
        "background": 88,
        "Riß": 5,
        "00b000": 5,
        "crack": 5,
        "Crack": 5,
        "255!": 12,
    }
    assert found["crack"][2, :5].all()


def test_the_later_object_stands_in_front_and_the_loss_is_told(tmp_path: Path) -> None:
    below, above = thing("a", slice(0, 4), slice(0, 4)), thing("b", slice(2, 6), slice(2, 6))
    assert write(tmp_path, ["a", "b"], [below, above]) == ["4 pixels lie below a later object: they are lost"]
    assert read(tmp_path)["b"].sum() == 16


def test_objects_that_touch_are_told_to_be_one_blob(tmp_path: Path) -> None:
    things = [thing("a", slice(0, 2), slice(0, 3)), thing("a", slice(2, 4), slice(3, 5))]
    assert write(tmp_path, ["a"], things) == ["2 objects are 1 blobs now: masks hold classes, not objects"]


def test_more_labels_than_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="255 labels: index masks hold at most 254"):
        write(tmp_path, [f"label {n}" for n in range(255)], [])
