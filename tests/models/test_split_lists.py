"""Split lists and names: which picture is learned from, which one is held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.errors import DatasetError
from models.drawn import Drawn
from models.sample import Sample
from models.split_lists import read_lists, rows, split_named, split_of

if TYPE_CHECKING:
    from pathlib import Path

    from models.sample import Split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Train", "train"),
        ("instances_train2017", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("val.json", "val"),
        ("test_public", "test"),
        ("train_test", None),
        ("trainer", None),
        ("latest", None),
        ("default", None),
        ("", None),
    ],
)
def test_a_name_says_its_split(name: str, split: Split | None) -> None:
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("path", "split"), [("train/images/a.jpg", "train"), ("train/val/a.jpg", "val"), ("images/test.jpg", None)]
)
def test_the_innermost_folder_says_the_split_of_a_picture(tmp_path: Path, path: str, split: Split | None) -> None:
    assert split_of(tmp_path / path, tmp_path) == split


def test_a_folder_around_the_data_set_says_nothing(tmp_path: Path) -> None:
    assert split_of(tmp_path / "test" / "a.jpg", tmp_path / "test") is None


def write(root: Path, text: str | bytes, name: str = "train.csv") -> Path:
    for picture in ("a", "b"):
        (root / f"{picture}.jpg").touch()
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / name


def test_a_list_gives_every_column(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffimage,group\r\na.jpg,t1\r\nb.jpg\r\n")
    assert rows(tmp_path, path) == (tmp_path, [{"image": "a.jpg", "group": "t1"}, {"image": "b.jpg", "group": ""}])


def test_paths_may_start_above_the_data_set(tmp_path: Path) -> None:
    path = write(tmp_path, f"image\n{tmp_path.name}/a.jpg\n")
    assert rows(tmp_path, path)[0] == tmp_path.parent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image\n", "must have a column `image` and at least one row"),
        ("picture\na.jpg\n", "must have a column `image`"),
        ("image\na.jpg\nc.jpg\nd.jpg\n", r"2 pictures are missing, the first is .*c\.jpg"),
        ("image,x\na.jpg,1\n,2\n", r"1 pictures are missing"),
        ("image\na.jpg\n" + "x" * 5000 + "\n", "1 pictures are missing"),
        ("image\n" + "x" * 200_000 + "\n", "is no CSV"),
        ("image\na\x00.jpg\n", "missing|is no CSV"),
        ("", "is empty"),
        (b"image\n\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_a_list_that_can_not_be_used_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        rows(tmp_path, write(tmp_path, text))


def samples(root: Path) -> list[Sample]:
    truth = Drawn(where="x", shapes=())
    return [Sample(picture=root / f"{name}.jpg", truth=truth, group=name, split="val") for name in "abcd"]


def test_lists_outweigh_what_the_format_says_and_leave_out_what_they_do_not_name(tmp_path: Path) -> None:
    (tmp_path / "c.jpg").touch()
    write(tmp_path, "image,group\na.jpg,t1\n")
    write(tmp_path, "image\nb.jpg\n", "val.csv")
    write(tmp_path, "image\nc.jpg\n", "test.csv")
    listed = [(sample.split, sample.group) for sample in read_lists(tmp_path, samples(tmp_path))]
    assert listed == [("train", "t1"), ("val", "b"), ("test", "c"), (None, "d")]


def test_a_picture_in_two_lists_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "image\na.jpg\n")
    write(tmp_path, "image\nb.jpg\n", "val.csv")
    write(tmp_path, "image\nb.jpg\n", "test.csv")
    with pytest.raises(DatasetError, match=r"test\.csv: 1 pictures are in val\.csv as well"):
        read_lists(tmp_path, samples(tmp_path))


def test_without_lists_nothing_changes(tmp_path: Path) -> None:
    assert list(read_lists(tmp_path, samples(tmp_path))) == samples(tmp_path)


def test_one_list_alone_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "image\na.jpg\n", "val.csv")
    with pytest.raises(DatasetError, match=r"has val\.csv but not all of train\.csv, val\.csv and test\.csv"):
        read_lists(tmp_path, samples(tmp_path))
