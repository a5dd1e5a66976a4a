"""Index masks: what is written is what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from models.annotation import IGNORE
from models.datasets import open_dataset
from models.index_mask import write_mask
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

SPECS = (ClassSpec(name="good"), ClassSpec(name="spot", colour=(255, 0, 0)), ClassSpec(name="line"))


def test_ignored_pixels_stay_ignored_where_nothing_else_is_marked(tmp_path: Path) -> None:
    classes = np.zeros((6, 8), np.uint8)
    classes[:, 5:] = IGNORE
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.zeros((6, 8, 3), np.uint8))
    write_mask(tmp_path / "masks" / "a.png", classes, SPECS)
    (tmp_path / "classes.txt").write_text("good\nspot\nline\n", encoding="utf-8")
    (sample,) = open_dataset(tmp_path).sound().samples
    assert np.array_equal(sample.class_map(SPECS), classes)


def test_classes_have_their_colours_for_people_who_look(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", np.array([[0, 1, 2, IGNORE]], np.uint8), SPECS)
    with Image.open(tmp_path / "a.png") as image:
        colours = np.asarray(image.convert("RGB"))[0].tolist()
    assert colours == [[0, 0, 0], [255, 0, 0], [0, 128, 0], [224, 224, 192]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
