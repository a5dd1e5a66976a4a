"""Pictures: found by whatever an annotation calls them, or asked for."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from edge.errors import DatasetError
from models.drawn import Drawn
from models.pictures import Pictures
from models.sample import Sample, group_by_name

if TYPE_CHECKING:
    from pathlib import Path


def pictures(root: Path, *names: str) -> Pictures:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Pictures(root)


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "A.JPG",
        "images/a.jpg",
        "./a.jpg",
        "..\\images\\a.jpg",
        "C:\\Users\\me\\a.jpg",
        "/home/me/other/a.jpg",
        "https://example.org/x/a.jpg",
        "a",
        "images/A",
    ],
)
def test_a_picture_is_found_however_it_is_called(tmp_path: Path, name: str) -> None:
    assert pictures(tmp_path, "images/a.jpg", "images/b.jpg").find(name) == tmp_path / "images" / "a.jpg"


@pytest.mark.parametrize("name", ["", "/", "c.jpg", "a.png", "images", "x" * 5000, "a\x00.jpg"])
def test_a_picture_that_is_missing_is_asked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="is missing: put it below this folder"):
        pictures(tmp_path, "images/a.jpg").find(name)


def test_of_pictures_of_one_name_the_folder_tells(tmp_path: Path) -> None:
    found = pictures(tmp_path, "train/a.jpg", "val/a.jpg")
    assert found.find("D:/x/VAL/a.jpg") == tmp_path / "val" / "a.jpg"
    assert found.find("train/a") == tmp_path / "train" / "a.jpg"
    with pytest.raises(DatasetError, match=r"fits .* and .*: give each picture its own name"):
        found.find("a.jpg")


def test_of_names_that_differ_in_case_the_exact_one_is_taken(tmp_path: Path) -> None:
    found = pictures(tmp_path, "a.jpg", "A.jpg")
    assert [found.find(name).name for name in ("a.jpg", "A.jpg")] == ["a.jpg", "A.jpg"]
    with pytest.raises(DatasetError, match="fits"):
        found.find("a.JPG")


def test_accents_may_be_taken_apart(tmp_path: Path) -> None:
    found = pictures(tmp_path, unicodedata.normalize("NFD", "grün.jpg"))
    assert found.find(unicodedata.normalize("NFC", "grün.jpg"))


def test_what_is_hidden_is_no_picture(tmp_path: Path) -> None:
    assert pictures(tmp_path, "a.jpg", ".cache/b.jpg", ".c.jpg", "d.txt").paths == [tmp_path / "a.jpg"]


def groups(root: Path, *names: str, group: str = "") -> list[str]:
    truth = Drawn(where="x", shapes=())
    samples = [Sample(picture=root / name, truth=truth, group=group) for name in names]
    return [sample.group for sample in group_by_name(samples, root)]


def test_a_picture_is_its_own_group(tmp_path: Path) -> None:
    assert groups(tmp_path, "images/a.jpg", "images/b.jpg") == ["a", "b"]


def test_like_named_pictures_of_two_folders_are_two_groups(tmp_path: Path) -> None:
    assert groups(tmp_path, "train/1.jpg", "val/1.jpg", "val/2.jpg") == ["train/1", "val/1", "2"]


def test_copies_that_roboflow_made_are_one_group(tmp_path: Path) -> None:
    assert groups(tmp_path, "a_jpg.rf.12.jpg", "a_jpg.rf.34.jpg") == ["a_jpg", "a_jpg"]


def test_a_group_that_is_known_is_kept(tmp_path: Path) -> None:
    assert groups(tmp_path, "a.jpg", "b.jpg", group="tile-1") == ["tile-1", "tile-1"]


def test_damaged_exif_is_nothing_to_tell_people_about(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = 50 * "maker"
    exif[282] = 72.0
    for folder, mode, name in (("images", "RGB", "a.jpg"), ("masks", "L", "a.png")):
        (tmp_path / folder).mkdir()
        Image.new(mode, (64, 64)).save(tmp_path / folder / name, exif=exif.tobytes()[:-60])
    command = [sys.executable, "-m", "edge.cli", "dataset", "info", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1 pictures" in done.stdout
    assert done.stderr == ""
