"""The choice of calibration pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from quantize.calibrate import _spread, choose
from quantize.toy import HEIGHT, WIDTH, toy_card, write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path


def test_pictures_come_from_the_train_split_at_the_networks_size(pictures: Path) -> None:
    chosen = choose(pictures, toy_card(), 8)
    train = (pictures / "train.csv").read_text(encoding="utf-8")
    assert all(f"images/{name}," in train for name in chosen.names)
    assert {p.shape for p in chosen.pictures} == {(HEIGHT, WIDTH, 3)}


def test_a_rare_class_is_covered(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=30)
    masks = sorted((root / "masks").iterdir(), key=lambda p: int(p.stem))[:30]
    for path in masks[3:]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        cv2.imwrite(str(path), np.zeros_like(mask))
    assert choose(root, toy_card(), 6).with_class["spot"] == 2  # of pictures 1, 2 and 3 the third is good


def test_the_darkest_and_the_brightest_picture_are_among_those_chosen(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=20)
    paths = sorted((root / "images").iterdir(), key=lambda p: int(p.stem))
    for path, factor in ((paths[7], 0.2), (paths[12], 1.9)):
        picture = cv2.imread(str(path))
        assert picture is not None
        cv2.imwrite(str(path), cv2.convertScaleAbs(picture, alpha=factor))
    chosen = choose(root, toy_card(), 6)
    assert {paths[7].name, paths[12].name} <= set(chosen.names)
    assert chosen.exposures.chosen == chosen.exposures.all


def test_objects_that_are_not_shown_yet_go_first(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=20)
    lines = (root / "train.csv").read_text(encoding="utf-8").splitlines()
    places = lines[0].split(",")
    assert "group" in places
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[places.index("group")] = f"g{number // 5}"
    (root / "train.csv").write_text("\n".join([lines[0], *map(",".join, rows)]) + "\n", encoding="utf-8")
    assert choose(root, toy_card(), 4).objects == 4
    assert "the 10 calibration pictures show 4 objects only" in " ".join(choose(root, toy_card(), 10).warnings)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 101])
def test_spreading_takes_every_place_once_the_ends_first(count: int) -> None:
    order = _spread(count)
    assert sorted(order) == list(range(count))
    assert set(order[:2]) == {0, count - 1}


def test_the_choice_is_the_same_every_time_and_depends_on_the_seed(pictures: Path) -> None:
    first = choose(pictures, toy_card(), 5, seed=1).names
    assert first == choose(pictures, toy_card(), 5, seed=1).names
    assert len({choose(pictures, toy_card(), 5, seed=s).names for s in range(6)}) > 1


def test_asking_for_more_than_there_is_gives_all_and_a_warning(pictures: Path) -> None:
    chosen = choose(pictures, toy_card(), 500)
    assert len(chosen.pictures) == 12
    assert chosen.warnings == ("only 12 calibration pictures: the ranges depend on which ones; give 50 or more",)


def test_calibration_without_defects_is_warned_about(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys")
    for path in (root / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8))
    assert "no calibration picture shows spot" in " ".join(choose(root, toy_card(), 8).warnings)


def test_pictures_without_masks_will_do_with_a_warning(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 20, 3), number, np.uint8))
    chosen = choose(tmp_path, toy_card(), 2)
    assert len(chosen.pictures) == 2
    assert chosen.with_class == {}
    assert any("no masks" in warning for warning in chosen.warnings)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pictures"):
        choose(tmp_path, toy_card(), 2)
