"""MVTec AD's folders: labels, splits, and masks that must mark something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 8


def write(path: Path, value: int | None = None) -> None:
    """Write a picture, or a mask whose left half has `value`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((SIZE, SIZE), np.uint8)
    pixels[:, : SIZE // 2] = value or 0
    Image.fromarray(pixels).save(path)


def category(root: Path, *, mask: str = "000_mask.png", value: int = 255) -> Path:
    for name in ("train/good/000.png", "test/good/000.png", "test/broken/000.png"):
        write(root / name)
    write(root / "ground_truth" / "broken" / mask, value)
    return root


@pytest.mark.parametrize("mask", ["000_mask.png", "000.png"])
def test_a_category_is_read_with_its_splits_and_labels(tmp_path: Path, mask: str) -> None:
    data = open_dataset(category(tmp_path, mask=mask))
    assert (data.format, data.labels, data.faults) == ("mvtec", ("broken",), ())
    marks = {
        s.group: (s.split, [(m.label, int(m.inside().sum()), m.is_object) for m in s.marks()]) for s in data.samples
    }
    assert marks == {
        "test/broken/000": ("test", [("broken", 32, False)]),
        "test/good/000": ("test", []),
        "train/good/000": ("train", []),
    }


@pytest.mark.parametrize("value", [0, 1, 127])
def test_a_defect_whose_mask_marks_nothing_is_not_taken_for_clean(tmp_path: Path, value: int) -> None:
    data = open_dataset(category(tmp_path, value=value))
    (defect,) = (sample for sample in data.samples if sample.picture.parent.name == "broken")
    with pytest.raises(DatasetError, match="marks nothing, but its picture shows a defect"):
        defect.marks()


def test_a_defect_without_a_mask_and_a_mask_without_a_picture_are_faults(tmp_path: Path) -> None:
    category(tmp_path)
    write(tmp_path / "test" / "broken" / "001.png")
    write(tmp_path / "ground_truth" / "broken" / "002_mask.png", 255)
    data = open_dataset(tmp_path)
    assert len(data.samples) == 3
    assert ["has no mask" in data.faults[0].why, "without a picture" in data.faults[1].why] == [True, True]


def test_several_categories_are_listed(tmp_path: Path) -> None:
    category(tmp_path / "bottle")
    category(tmp_path / "cable")
    with pytest.raises(DatasetError, match="holds the categories bottle, cable: give one of these folders"):
        open_dataset(tmp_path)
