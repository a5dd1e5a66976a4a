"""LabelMe JSON: the same objects as labelme's own exports, and what is refused."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import open_dataset
from models.shapes import polygons
from tests.conftest import SHARED
from tests.models.one_mark import inside, why

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.datasets import Dataset

WIDTH, HEIGHT = 20, 16
SQUARE: Sequence[Sequence[float]] = [[2, 2], [8, 2], [8, 8], [2, 8]]


def shape(
    points: Sequence[Sequence[float]] | None = None, kind: str | None = "polygon", **more: object
) -> dict[str, object]:
    return {"label": "crack", "points": SQUARE if points is None else points, "shape_type": kind, **more}


def png(pixels: NDArray[np.uint8]) -> str:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)


def write(path: Path, *shapes: dict[str, object], **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"{path.stem}.jpg",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **more,
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def dataset(root: Path, *shapes: dict[str, object], **more: object) -> Dataset:
    picture(root / "a.jpg")
    write(root / "a.json", *shapes, **more)
    return open_dataset(root, "labelme")


def test_a_polygon_marks_what_it_surrounds(tmp_path: Path) -> None:
    pixels = inside(dataset(tmp_path, shape()))
    assert pixels[2:8, 2:8].all()
    assert pixels.sum() == 36


def test_a_shape_without_a_type_is_a_polygon(tmp_path: Path) -> None:
    assert inside(dataset(tmp_path, shape(kind=None))).sum() == 36


@pytest.mark.parametrize("corners", [[[2, 2], [8, 8]], [[8, 2], [2, 8]], SQUARE])
def test_a_rectangle_is_filled(tmp_path: Path, corners: Sequence[Sequence[float]]) -> None:
    assert inside(dataset(tmp_path, shape(corners, "rectangle"))).sum() == 36


def test_a_circle_goes_through_its_second_point(tmp_path: Path) -> None:
    pixels = inside(dataset(tmp_path, shape([[8, 8], [8, 13]], "circle")))
    assert np.flatnonzero(pixels.any(axis=1)).tolist() == list(range(3, 13))
    assert pixels.sum() == pytest.approx(np.pi * 25, rel=0.05)


def test_a_mask_lies_between_its_corners_with_its_holes(tmp_path: Path) -> None:
    drawn = np.array([[1, 1, 1, 0], [1, 0, 1, 1]], np.uint8)
    pixels = inside(dataset(tmp_path, shape([[3, 5], [6, 6]], "mask", mask=png(drawn))))
    assert np.array_equal(pixels[5:7, 3:7], drawn)
    assert pixels.sum() == 6


def test_shapes_of_one_group_are_one_object(tmp_path: Path) -> None:
    far = [[12, 10], [16, 10], [16, 14], [12, 14]]
    data = dataset(tmp_path, shape(group_id=1), shape(far, group_id=1), shape(far, group_id=None))
    (sample,) = data.samples
    first, second = sample.marks()
    assert (first.inside().sum(), second.inside().sum()) == (52, 16)


def test_a_group_of_another_label_is_another_object(tmp_path: Path) -> None:
    (sample,) = dataset(tmp_path, shape(group_id=1), shape(group_id=1, label="hole")).samples
    assert [mark.label for mark in sample.marks()] == ["crack", "hole"]


def test_what_is_to_be_ignored_is_no_label(tmp_path: Path) -> None:
    data = dataset(tmp_path, shape(label="__ignore__"), shape(label="_background_"))
    assert [(mark.label, mark.ignored) for mark in data.samples[0].marks()] == [
        ("__ignore__", True),
        ("_background_", False),
    ]
    assert data.labels == ("_background_",)


def test_the_list_of_labels_comes_first(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\nhole\ncrack\n", encoding="utf-8")
    assert dataset(tmp_path, shape()).labels == ("hole", "crack")


def test_lines_and_points_are_passed_over_and_counted(tmp_path: Path) -> None:
    data = dataset(tmp_path, shape(), shape([[1, 1]], "point"), shape([[1, 1], [2, 2]], "linestrip"))
    assert len(data.samples[0].marks()) == 1
    assert data.notes == ("1 lines, 1 points were passed over: they are no masks",)


def test_a_picture_with_points_only_is_not_taken_for_clean(tmp_path: Path) -> None:
    data = dataset(tmp_path, shape([[1, 1]], "point"))
    assert not data.samples
    assert "has only 1 points and no mask" in why(data)


def test_a_file_without_shapes_is_clean(tmp_path: Path) -> None:
    assert dataset(tmp_path).samples[0].marks() == []


@pytest.mark.parametrize("path", ["..\\images\\a.jpg", "C:\\Users\\me\\a.jpg", "/home/me/a.jpg", "../images/A.JPG"])
def test_a_picture_is_found_however_its_path_is_written(tmp_path: Path, path: str) -> None:
    picture(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.json", shape(), imagePath=path)
    (sample,) = open_dataset(tmp_path, "labelme").samples
    assert sample.picture == tmp_path / "images" / "a.jpg"


def test_pictures_of_one_name_are_told_apart_by_the_folder_of_their_file(tmp_path: Path) -> None:
    for folder in ("train", "val"):
        picture(tmp_path / folder / "1.jpg")
        write(tmp_path / folder / "1.json", shape(label=folder))
    data = open_dataset(tmp_path)
    assert [(s.picture.parent.name, s.split, s.group, s.marks()[0].label) for s in data.samples] == [
        ("train", "train", "train/1", "train"),
        ("val", "val", "val/1", "val"),
    ]


def test_a_picture_that_was_saved_anew_is_found_beside_its_file(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / "a.json", shape())
    assert open_dataset(tmp_path).samples[0].picture.name == "a.png"


def test_a_picture_that_is_only_inside_the_file_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.json", shape(), imageData="aGVsbG8=")
    assert "only inside it, as imageData" in why(open_dataset(tmp_path))


def test_a_picture_that_is_missing_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path / "b.json", shape())
    data = dataset(tmp_path, shape())
    assert len(data.samples) == 1
    assert "is missing" in why(data)


def test_a_size_need_not_be_stated(tmp_path: Path) -> None:
    assert inside(dataset(tmp_path, shape(), imageHeight=None, imageWidth=None)).sum() == 36


@pytest.mark.parametrize(("height", "width"), [(WIDTH, HEIGHT), (10**9, 10**9), (-1, 0)])
def test_a_stated_size_that_is_not_the_pictures_is_refused(tmp_path: Path, height: int, width: int) -> None:
    (sample,) = dataset(tmp_path, shape(), imageHeight=height, imageWidth=width).samples
    with pytest.raises(DatasetError, match=f"states {width}x{height}, its picture is {WIDTH}x{HEIGHT}"):
        sample.marks()


ONE = png(np.ones((1, 1), np.uint8))


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (shape([[1, 1], [2, 2]]), "at least three"),
        (shape([]), "at least three"),
        (shape([[0.0, 0.0], [1e300, 0.0], [1.0, 1.0]]), "far outside"),
        (shape([[1, 1]], "circle"), "a circle has 1 points"),
        (shape([[1.0, 1.0], [1e9, 1.0]], "circle"), "larger than the picture"),
        (shape([[0, 0], [3, 3]], "mask", mask=ONE), "its mask is 1x1"),
        (shape([[0, 0], [3, 3]], "mask", mask="%%%"), "not base64"),
        (shape([[0, 0], [3, 3]], "mask", mask="aGVsbG8="), "not a PNG"),
        (shape([[0, 0], [3, 3]], "mask"), "not a PNG"),
        (shape([[0, 0], [1e300, 1e300]], "mask", mask=ONE), "not in the picture"),
        (shape([[-1, 0], [-1, 0]], "mask", mask=ONE), "not in the picture"),
        (shape([[0, 0]], "mask", mask=ONE), "not in the picture"),
    ],
)
def test_a_broken_shape_is_named(tmp_path: Path, one: dict[str, object], reason: str) -> None:
    (sample,) = dataset(tmp_path, one).samples
    with pytest.raises(DatasetError, match=rf"a\.json: shape 1: .*{reason}"):
        sample.marks()


@pytest.mark.parametrize(
    "more",
    [
        {"shapes": None},
        {"shapes": [shape([[1, 2, 3]])]},
        {"shapes": [shape(label=None)]},
        {"shapes": [shape(label="")]},
        {"shapes": [shape([[float("nan"), 1], [2, 2], [3, 3]])]},
        {"imagePath": 7},
        {"imageHeight": "many"},
    ],
)
def test_a_damaged_file_takes_no_other_with_it(tmp_path: Path, more: dict[str, object]) -> None:
    picture(tmp_path / "b.jpg")
    write(tmp_path / "b.json", **more)
    data = dataset(tmp_path, shape())
    assert [sample.picture.name for sample in data.samples] == ["a.jpg"]
    assert why(data)


def test_a_file_cut_short_is_a_fault(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    path = write(tmp_path / "a.json", shape())
    path.write_bytes(path.read_bytes()[:-9])
    assert why(open_dataset(tmp_path, "labelme"))


def real(name: str) -> Path:
    folder = SHARED / "annotations" / name
    if not folder.is_dir():
        pytest.skip(f"needs the LabelMe files in ../shared/data/annotations/{name}")
    return folder


def test_real_files_made_on_windows_are_read() -> None:
    data = open_dataset(real("labelme-bsdata"))
    assert (data.labels, data.faults) == (("Pitting",), ())
    assert [len(sample.marks()) for sample in data.samples] == [1, 1, 2, 4]


def test_real_groups_are_the_objects_of_labelmes_own_export() -> None:
    folder = real("labelme-tool")
    theirs = json.loads((folder / "as-coco.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in theirs["categories"]}
    samples = {sample.picture.name: sample for sample in open_dataset(folder, "labelme").samples}
    compared = 0
    for image in theirs["images"]:
        if not (sample := samples.get(image["file_name"].partition("/")[2])):
            continue
        objects = [one for one in theirs["annotations"] if one["image_id"] == image["id"]]
        marks = [mark for mark in sample.marks() if not mark.ignored]
        assert [mark.label for mark in marks] == [names[one["category_id"]] for one in objects]
        for mark, one in zip(marks, objects, strict=True):
            assert mark.pixels == polygons(one["segmentation"], image["height"], image["width"])
            assert mark.inside().sum() == pytest.approx(one["area"], rel=0.07)  # labelme counts the rim, too
            compared += 1
    assert compared == 9
