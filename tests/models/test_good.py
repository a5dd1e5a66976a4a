"""Good pictures: found by what is not marked, held out by part."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from models.good import find_good

if TYPE_CHECKING:
    from pathlib import Path


def write_picture(path: Path, *, spot: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((16, 16, 3), 100, np.uint8)
    picture[4:8, 4:8] = 255 if spot else 100
    cv2.imwrite(str(path), picture)
    return path


def write_split(root: Path, split: str, parts: dict[str, bool]) -> None:
    """Two pictures of each part; a defective part shows its spot on the second one only."""
    rows = []
    for part, bad in parts.items():
        for view in range(2):
            name = f"{part}-{view}.png"
            write_picture(root / "images" / name)
            mask = np.zeros((16, 16), np.uint8)
            mask[4:8, 4:8] = bad and view == 1
            (root / "masks").mkdir(exist_ok=True)
            cv2.imwrite(str(root / "masks" / name), mask)
            rows.append((f"images/{name}", f"masks/{name}", part))
    with (root / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "mask", "group"), *rows])


def test_a_plain_folder_is_all_good_and_a_quarter_is_held_out(tmp_path: Path) -> None:
    for number in range(16):
        write_picture(tmp_path / f"{number}.jpg")
    good = find_good(tmp_path)
    assert (len(good.learn), len(good.held_out)) == (12, 4)
    assert find_good(tmp_path) == good


def test_a_part_with_one_defective_picture_is_not_good(tmp_path: Path) -> None:
    write_split(tmp_path, "train", {**{f"g{n}": False for n in range(6)}, "bad": True})
    write_split(tmp_path, "val", {"v1": False, "v2": False, "v3": True})
    write_split(tmp_path, "test", {"t1": False})
    good = find_good(tmp_path)
    assert set(good.learn.values()) == {f"g{n}" for n in range(6)}
    assert set(good.held_out.values()) == {"v1", "v2"}
    assert len(good.learn) == 12


def test_test_pictures_are_never_read(tmp_path: Path) -> None:
    write_split(tmp_path, "train", {f"g{n}": False for n in range(8)})
    write_split(tmp_path, "val", {"v1": False, "v2": False})
    write_split(tmp_path, "test", {"t1": True})
    (tmp_path / "masks" / "t1-1.png").write_bytes(b"not to be opened")
    assert "t1" not in {*find_good(tmp_path).learn.values(), *find_good(tmp_path).held_out.values()}


def test_too_few_parts_are_refused_in_one_line(tmp_path: Path) -> None:
    for number in range(5):
        write_picture(tmp_path / f"{number}.jpg")
    with pytest.raises(DatasetError, match="good pictures of 5 parts: give 8 or more"):
        find_good(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        find_good(tmp_path / "nowhere")


def test_the_layout_of_mvtec_is_understood_and_its_test_pictures_left_alone(tmp_path: Path) -> None:
    for number in range(10):
        write_picture(tmp_path / "train" / "good" / f"{number:03}.png")
    write_picture(tmp_path / "test" / "good" / "000.png")
    write_picture(tmp_path / "test" / "scratch" / "000.png", spot=True)
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 255
    (tmp_path / "ground_truth" / "scratch").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "ground_truth" / "scratch" / "000_mask.png"), mask)
    good = find_good(tmp_path)
    assert {path.parent for path in (*good.learn, *good.held_out)} == {tmp_path / "train" / "good"}
    assert (len(good.learn), len(good.held_out)) == (8, 2)
