"""Converting: the same pixels, splits and groups afterwards, and all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import ConfigError, DatasetError
from models.convert import Wish, convert, parse_classes
from models.datasets import open_dataset
from models.writers import WRITERS, open_writer

if TYPE_CHECKING:
    from pathlib import Path

    from models.datasets import Dataset

SPLITS = {"train": "0123", "val": "4", "test": "5"}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Six pictures with masks of two classes at random, so with holes and parts, split by groups of two."""
    root = tmp_path / "source"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(6):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).save(root / "images" / f"{number}.png")
        Image.fromarray(rng.choice(3, (30, 40), p=[0.5, 0.25, 0.25]).astype(np.uint8)).save(
            root / "masks" / f"{number}.png"
        )
    for split, numbers in SPLITS.items():
        rows = [f"images/{number}.png,g{(int(number) + 1) // 2}" for number in numbers]
        (root / f"{split}.csv").write_text("\n".join(["image,group", *rows, ""]), encoding="utf-8")
    return open_dataset(root)


def pixels(data: Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Draw every class of every picture, as (H, W) bool."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for sample in data.sound().samples:
        classes = found.setdefault(sample.picture.name, {})
        for mark in sample.marks():
            if mark.label not in {"0", "background"}:
                classes[mark.label] = classes.get(mark.label, np.False_) | mark.inside()
    return found


@pytest.mark.parametrize("first", WRITERS)
@pytest.mark.parametrize("second", WRITERS)
def test_two_conversions_keep_pixels_splits_and_groups(data: Dataset, tmp_path: Path, first: str, second: str) -> None:
    convert(data, tmp_path / "first", Wish(to=first))
    convert(open_dataset(tmp_path / "first"), tmp_path / "second", Wish(to=second))
    after = open_dataset(tmp_path / "second")
    expected, found = pixels(data), pixels(after)
    assert found.keys() == expected.keys()
    for name, classes in expected.items():
        for label, inside in classes.items():
            assert (found[name][label] == inside).all()
    assert {(s.picture.name, s.split, s.group) for s in after.samples} == {
        (s.picture.name, s.split, s.group) for s in data.samples
    }


def test_blobs_of_class_masks_become_objects_and_the_background_none(data: Dataset, tmp_path: Path) -> None:
    (data.root / "masks" / "0.png").unlink()
    mask = np.zeros((30, 40), np.uint8)
    mask[2:4, 2:4] = mask[8:9, 8:9] = 2
    Image.fromarray(mask).save(data.root / "masks" / "0.png")
    convert(open_dataset(data.root), tmp_path / "coco", Wish(to="coco"))
    sample = next(s for s in open_dataset(tmp_path / "coco").samples if s.picture.stem == "0")
    assert [(mark.label, int(mark.inside().sum())) for mark in sample.marks()] == [("2", 4), ("2", 1)]


def test_chosen_classes_are_joined_and_renamed_and_the_rest_is_told(data: Dataset, tmp_path: Path) -> None:
    done = convert(data, tmp_path / "one", Wish(to="coco", classes=parse_classes(["hole=2"])))
    assert open_dataset(tmp_path / "one").labels == ("hole",)
    assert done.notes == ("1: left out of 6 pictures, --classes does not name it",)
    done = convert(data, tmp_path / "both", Wish(to="coco", classes=parse_classes(["defect=1,2"])))
    assert set(done.objects) == {"defect"}
    assert done.notes == ()


@pytest.mark.parametrize("words", [["a=1", "b=1"], ["=1"], ["a=1,"]])
def test_classes_that_are_written_wrongly_are_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="write NAME=LABEL,LABEL, each label once"):
        parse_classes(words)


def test_a_stated_background_is_not_written(data: Dataset, tmp_path: Path) -> None:
    done = convert(data, tmp_path / "new", Wish(to="coco", background=frozenset({"1"})))
    assert set(done.objects) == {"2"}


def test_links_are_the_same_file(data: Dataset, tmp_path: Path) -> None:
    convert(data, tmp_path / "new", Wish(to="coco", link=True))
    assert (tmp_path / "new" / "images" / "3.png").samefile(data.root / "images" / "3.png")


def test_pictures_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / "set" / folder / "masks").mkdir(parents=True)
        Image.new("L", (9, 9)).save(tmp_path / "set" / folder / "1.jpg")
        Image.new("L", (9, 9), 1).save(tmp_path / "set" / folder / "masks" / "1.png")
    convert(open_dataset(tmp_path / "set"), tmp_path / "new", Wish(to="masks"))
    assert sorted(path.name for path in (tmp_path / "new" / "images").iterdir()) == ["a-1.jpg", "b-1.jpg"]


def test_what_is_broken_is_refused_or_left_out_by_wish(data: Dataset, tmp_path: Path) -> None:
    (data.root / "masks" / "2.png").write_bytes(b"no")
    with pytest.raises(DatasetError, match=r"2\.png: not a mask .* --skip-broken"):
        convert(data, tmp_path / "new", Wish(to="coco"))
    done = convert(data, tmp_path / "new", Wish(to="coco", skip_broken=True))
    assert (done.pictures, len(done.faults)) == (5, 1)


def test_a_folder_in_use_is_left_alone(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").touch()
    with pytest.raises(DatasetError, match="is there already"):
        convert(data, tmp_path / "new", Wish(to="coco"))
    with pytest.raises(DatasetError, match="lies in the data set"):
        convert(data, data.root / "new", Wish(to="coco"))


def test_a_conversion_that_fails_while_writing_leaves_nothing(data: Dataset, tmp_path: Path) -> None:
    names = "\n".join(["background", *(f"class {number}" for number in range(255))])
    (data.root / "classes.txt").write_text(names, encoding="utf-8")
    with pytest.raises(DatasetError, match="255 labels"):
        convert(open_dataset(data.root), tmp_path / "new", Wish(to="masks"))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_fulfils_the_contract(name: str) -> None:
    writer = open_writer(name)
    assert writer.TITLE
    assert callable(writer.place)
    assert callable(writer.write)
