"""The inventory: objects counted as people count them, and what is broken listed, not fatal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from models.datasets import open_dataset
from models.inventory import Inventory, count_classes, count_splits, is_background, natural, take_inventory, warnings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six pictures with index masks: two blobs of class 1 on each, one of class 2 on the first, the last one clean."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(6):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(tmp_path / "images" / f"{number}.png")
        mask = np.zeros((40, 60), np.uint8)
        if number < 5:
            mask[2:4, 2:6] = mask[20:26, 20:30] = 1
        if number == 0:
            mask[30:31, 30:33] = 2
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def take(root: Path) -> Inventory:
    return take_inventory(open_dataset(root))


def test_blobs_of_class_masks_are_objects_and_the_background_is_none(root: Path) -> None:
    inventory = take(root)
    one, two = count_classes(inventory.pictures, inventory.labels)
    assert one[:5] == ("1", 5, 5, 10, 5 * 68)
    assert one.share == pytest.approx(5 * 68 / (6 * 2400))
    assert one.median_px == 34
    assert (two.label, two.objects, two.median_px) == ("2", 1, 3)
    assert sum(seen.is_clean for seen in inventory.pictures) == 1


def test_damaged_pictures_and_masks_are_listed_and_the_others_counted(root: Path) -> None:
    picture = root / "images" / "1.png"
    picture.write_bytes(picture.read_bytes()[:2000])
    (root / "masks" / "2.png").write_bytes(b"no")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / "masks" / "3.png")
    inventory = take(root)
    assert len(inventory.pictures) == 3
    assert sorted((fault.where.rpartition("/")[2], fault.why.partition(":")[0]) for fault in inventory.faults) == [
        ("1.png", "not a picture that can be read"),
        ("2.png", "not a mask that can be read"),
        ("3.png", "is 4x4, its picture 60x40"),
    ]


def test_sixteen_bit_pictures_are_compared_as_well(root: Path) -> None:
    deep = np.random.default_rng(9).integers(0, 4096, (40, 60), np.uint16)
    Image.fromarray(deep).save(root / "images" / "0.png")
    assert take(root).pictures[0].look.any()


def test_warnings_name_what_is_rare_unclean_or_alike(root: Path) -> None:
    (root / "classes.txt").write_text("background\nCrack\ncrack\n", encoding="utf-8")
    for name in ("images", "masks"):
        (root / name / "5.png").unlink()
    inventory = take(root)
    classes = count_classes(inventory.pictures, inventory.labels)
    assert warnings(inventory, classes, count_splits(inventory.pictures, inventory.labels)) == [
        "too few objects to learn well, and to judge what was learned: Crack (10), crack (1)",
        "'Crack' and 'crack' may be one class",
        "no picture is clean: add some without defects if there are such, to count false alarms on",
    ]


@pytest.mark.parametrize(
    ("label", "drawn", "nothing"),
    [
        ("0", False, True),
        ("0", True, False),
        ("#000000", False, True),
        ("_background_", True, True),
        ("1", False, False),
    ],
)
def test_zero_and_black_are_the_background_of_masks_only(label: str, *, drawn: bool, nothing: bool) -> None:
    assert is_background(label, drawn=drawn) == nothing


def test_a_stated_label_is_the_background() -> None:
    assert is_background("sky", {"sky"}, drawn=True)


def test_numbers_sort_by_value() -> None:
    assert sorted(["10", "9", "b", "a2", "a10"], key=natural) == ["9", "10", "a2", "a10", "b"]
