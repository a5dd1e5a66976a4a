"""Leaks: groups, copies and look-alikes that stand in two splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from models.datasets import open_dataset
from models.inventory import take_inventory
from models.leaks import compare, find_leaks

if TYPE_CHECKING:
    from pathlib import Path

    from models.inventory import Inventory

SPLITS = {"train": "0123", "val": "4", "test": "5"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six pictures that have nothing in common, with masks."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{number}.png")
        Image.new("L", (60, 40), 1).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def take(root: Path, groups: str = "012345") -> Inventory:
    for split, numbers in SPLITS.items():
        rows = (f"images/{number}.png,{groups[int(number)]}" for number in numbers)
        (root / f"{split}.csv").write_text("\n".join(["image,group", *rows, ""]), encoding="utf-8")
    return take_inventory(open_dataset(root))


def test_pictures_of_their_own_do_not_leak(root: Path) -> None:
    inventory = take(root)
    assert not find_leaks(inventory.pictures, compare(inventory))


def test_a_copy_in_another_split_is_a_leak_even_of_a_flat_picture(root: Path) -> None:
    for number in (0, 5):
        Image.new("L", (60, 40)).save(root / "images" / f"{number}.png")
    inventory = take(root)
    leaks = find_leaks(inventory.pictures, compare(inventory))
    assert leaks
    assert leaks.pictures == {"train": 1, "val": 0, "test": 1}
    pairs = [(pair.one.picture.name, pair.other.picture.name, pair.similarity) for pair in leaks.pairs]
    assert pairs == [("0.png", "5.png", 1.0)]
    assert not find_leaks(inventory.pictures, None)


def test_a_group_in_two_splits_is_a_leak(root: Path) -> None:
    assert find_leaks(take(root, groups="012343").pictures, None).groups == ["3"]
