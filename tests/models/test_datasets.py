"""Pictures with masks: what a loader can't be sure of, it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from models.datasets import has_splits, read_folder, read_split
from models.datasets.png import read_mask
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

COLOURED = (ClassSpec(name="background", colour=(0, 0, 0)), ClassSpec(name="leaf", colour=(0, 176, 0)))
INDEXED = (ClassSpec(name="good"), ClassSpec(name="crack"), ClassSpec(name="hole", index=9))


def write(path: Path, pixels: list[object] | np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.asarray(pixels, np.uint8))
    return path


def test_colours_become_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "m.png", [[[0, 176, 0], [0, 0, 0]]])
    assert read_mask(path, COLOURED).tolist() == [[1, 0]]


def test_a_colour_that_no_class_claims_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.png", [[[1, 2, 255], [0, 0, 0]]])
    with pytest.raises(DatasetError, match=r"1 pixels have colours that no class claims, such as RGB \(255, 2, 1\)"):
        read_mask(path, COLOURED)


def test_values_become_classes_by_place_or_index(tmp_path: Path) -> None:
    assert read_mask(write(tmp_path / "m.png", [[0, 1, 9]]), INDEXED).tolist() == [[0, 1, 2]]


def test_a_value_that_no_class_claims_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="have the value 2, which no class claims"):
        read_mask(write(tmp_path / "m.png", [[0, 2]]), INDEXED)


def test_soft_black_and_white_is_cut_at_127_for_two_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "m.png", [[0, 1, 127, 128, 255]])
    assert read_mask(path, INDEXED[:2]).tolist() == [[0, 0, 0, 1, 1]]


def test_a_mask_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no")
    with pytest.raises(DatasetError, match="not a mask that can be read"):
        read_mask(tmp_path / "m.png", INDEXED)


def lists(root: Path, **splits: str) -> Path:
    for name in ("a", "b", "c"):
        write(root / "images" / f"{name}.jpg", np.zeros((4, 4, 3)))
        write(root / "masks" / f"{name}.png", np.zeros((4, 4)))
    for split, names in splits.items():
        rows = [f"images/{name[0]}.jpg,masks/{name[0]}.png,{name}" for name in names.split()]
        (root / f"{split}.csv").write_text("\n".join(["image,mask,group", *rows]) + "\n", encoding="utf-8")
    return root


def test_splits_are_read_as_written(tmp_path: Path) -> None:
    root = lists(tmp_path, train="a", val="b", test="c")
    assert has_splits(root)
    (sample,) = read_split(root, "val")
    assert (sample.picture.name, sample.mask.name, sample.group) == ("b.jpg", "b.png", "b")


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    root = lists(tmp_path, train="a", val="b", test="c")
    (root / "val.csv").write_text("image,mask,group\nimages/b.jpg,masks/b.png,a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"shares 1 groups with train \(such as a\): split by group"):
        read_split(root, "train")


def test_files_that_are_missing_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    root = lists(tmp_path, train="a b", val="c", test="c")
    (root / "masks" / "b.png").unlink()
    with pytest.raises(DatasetError, match=r"1 files are missing, the first is .*b\.png"):
        read_split(root, "train")


def test_a_folder_pairs_pictures_with_masks(tmp_path: Path) -> None:
    root = lists(tmp_path)
    write(root / "images" / "without.jpg", np.zeros((4, 4, 3)))
    assert [sample.picture.stem for sample in read_folder(root)] == ["a", "b", "c"]
    assert not has_splits(root)


def test_a_folder_without_pairs_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no picture has a mask: put NAME\.jpg into images/"):
        read_folder(tmp_path)


def test_the_full_coffee_set_is_read_with_every_colour_claimed(coffee: Path) -> None:
    classes = (*COLOURED, ClassSpec(name="lesion", colour=(255, 0, 0)))
    samples = read_split(coffee, "test")
    assert len(samples) == 60
    assert set(np.unique(samples[2].class_map(classes))) == {0, 1, 2}
