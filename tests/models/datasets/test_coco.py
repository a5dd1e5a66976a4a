"""COCO instances: masks as pycocotools draws them, and a reason for what can't be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as reference

from edge.errors import DatasetError
from models.annotation import MAX_MARKS
from models.datasets import Dataset, open_dataset

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own

SQUARE = [1, 1, 5, 1, 5, 4, 1, 4]
RING = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]], np.uint8)


def picture(path: Path, height: int = 6, width: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height)).save(path)
    return path


def image(id_: int | str = 1, name: str = "a.png", height: int = 6, width: int = 8) -> dict[str, Any]:
    return {"id": id_, "file_name": name, "height": height, "width": width}


def crack(segmentation: object, **more: object) -> dict[str, Any]:
    return {"id": 7, "image_id": 1, "category_id": 3, "segmentation": segmentation, "bbox": [0, 0, 1, 1], **more}


def write(path: Path, annotations: list[dict[str, Any]], images: list[dict[str, Any]] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "images": [image()] if images is None else images,
        "annotations": annotations,
        "categories": [{"id": 3, "name": "crack"}, {"id": 90, "name": "AC Climate"}],
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def one(tmp_path: Path, *annotations: dict[str, Any]) -> Dataset:
    picture(tmp_path / "a.png")
    return open_dataset(write(tmp_path / "c.json", list(annotations)))


def faults(data: Dataset) -> list[str]:
    return [fault.why for fault in data.faults]


def test_a_polygon_is_filled_as_pycocotools_does(tmp_path: Path) -> None:
    data = one(tmp_path, crack([SQUARE]))
    (mark,) = data.samples[0].marks()
    assert (mark.label, mark.is_object, mark.ignored) == ("crack", True, False)
    assert np.array_equal(mark.inside(), drawn([SQUARE], 6, 8))
    assert data.labels == ("crack", "AC Climate")
    assert data.format == "coco"


def test_detached_parts_of_one_object_stay_one_object(tmp_path: Path) -> None:
    (mark,) = one(tmp_path, crack([SQUARE, [6, 4, 8, 4, 8, 6, 6, 6]])).samples[0].marks()
    assert mark.inside()[2, 2]
    assert mark.inside()[5, 7]
    assert not mark.inside()[0, 7]


@pytest.mark.parametrize("packed", ["runs", "text", "python bytes"])
def test_a_hole_in_run_lengths_survives(tmp_path: Path, packed: str) -> None:
    picture(tmp_path / "a.png", 5, 4)
    code = reference.encode(np.asfortranarray(RING))["counts"]
    counts = {"runs": [6, 3, 2, 1, 1, 1, 2, 3, 1], "text": code.decode(), "python bytes": str(code)}[packed]
    write(tmp_path / "c.json", [crack({"size": [5, 4], "counts": counts})], [image(height=5, width=4)])
    (mark,) = open_dataset(tmp_path).samples[0].marks()
    assert np.array_equal(mark.inside(), RING)


def test_a_backslash_in_the_text_of_python_bytes_is_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1, 60)
    code = reference.frPyObjects({"size": [1, 60], "counts": [44, 16]}, 1, 60)["counts"]
    assert b"\\" in code
    annotation = crack({"size": [1, 60], "counts": str(code)})
    data = open_dataset(write(tmp_path / "c.json", [annotation], [image(height=1, width=60)]))
    assert np.flatnonzero(data.samples[0].marks()[0].inside()).tolist() == list(range(44, 60))


def test_a_crowd_is_ignored(tmp_path: Path) -> None:
    data = one(tmp_path, crack({"size": [6, 8], "counts": [8, 40]}, iscrowd=1))
    assert [mark.ignored for mark in data.samples[0].marks()] == [True]


def test_boxes_beside_masks_are_passed_over_and_counted(tmp_path: Path) -> None:
    without = crack([])
    del without["segmentation"]
    data = one(tmp_path, crack([SQUARE]), crack([]), without)
    assert len(data.samples[0].marks()) == 1
    assert data.notes == ("2 boxes were passed over: they are no masks",)


def test_a_picture_with_boxes_only_is_not_taken_for_clean(tmp_path: Path) -> None:
    data = one(tmp_path, crack(None))
    assert data.samples == ()
    assert faults(data) == ["has only 1 boxes and no mask: outline what is marked, or remove the picture"]


def test_a_picture_without_annotations_is_clean(tmp_path: Path) -> None:
    data = one(tmp_path)
    assert data.samples[0].marks() == []
    assert data.faults == ()


@pytest.mark.parametrize(
    ("segmentation", "why"),
    [
        ([[1, 1, 5, 5]], "an outline has 2 points: at least three are needed"),
        ([[]], "0 points"),
        ([[1, 1, 5, 1, 5]], r"2\.5 points"),
        ([[1, 1, float("nan"), 1, 5, 4]], "not finite"),
        ([[1, 1, float("inf"), 1, 5, 4]], "not finite"),
        ([[1, 1, 1e300, 1, 5, 4]], "far outside the picture"),
        ([[-1000, 1, 5, 1, 5, 4]], r"\(-1000, 1\) lies far outside the picture"),
        ([[10**400, 1, 5, 1, 5, 4]], "neither a list of outlines nor run lengths"),
        ([["1", 1, 5, 1, 5, 4]], "neither"),
        ([[[1, 1], [5, 1], [5, 4]]], "neither"),
        ([None], "neither"),
        (5, "neither"),
        ("0", "neither"),
        ({"counts": [48]}, "neither"),
        ({"size": [6, 8], "counts": None}, "neither"),
        ({"size": [6, 8, 1], "counts": [48]}, "neither"),
        ({"size": [6, 8], "counts": [1.5, 46.5]}, "neither"),
        ({"size": [8, 6], "counts": [48]}, "run lengths are of a picture of 6x8, this one is 8x6"),
        ({"size": [10**9, 10**9], "counts": "1"}, "1000000000x1000000000"),
        ({"size": [6, 8], "counts": [47]}, "do not fill a mask of 8x6"),
        ({"size": [6, 8], "counts": [-1, 49]}, "do not fill"),
        ({"size": [6, 8], "counts": "~~"}, "not a COCO run-length code"),
        ({"size": [6, 8], "counts": "b'"}, "not a COCO run-length code"),
    ],
)
def test_a_broken_shape_is_told_with_its_place(tmp_path: Path, segmentation: object, why: str) -> None:
    (sample,) = one(tmp_path, crack(segmentation)).samples
    with pytest.raises(DatasetError, match=rf"c\.json: image 1: annotation 7: .*{why}.*: draw it again or remove it"):
        sample.marks()


def test_what_names_something_unknown_is_a_fault(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    lost = crack([SQUARE], image_id=2, id=8)
    data = open_dataset(write(tmp_path / "c.json", [crack([SQUARE], category_id=4), lost]))
    assert data.samples == ()
    assert faults(data) == [
        "belongs to the image 2, which is not listed: remove it",
        "annotation 7: its category 4 is not listed: add it to `categories`",
    ]


def test_a_missing_picture_is_a_fault_and_the_others_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = open_dataset(write(tmp_path / "c.json", [crack([SQUARE])], [image(), image(2, "b.png")]))
    assert [sample.picture.name for sample in data.samples] == ["a.png"]
    (why,) = faults(data)
    assert "the picture 'b.png' is missing" in why


def test_a_size_turned_by_exif_is_told_apart_from_another_picture(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / "c.json", [], [image(height=8, width=6)])
    with pytest.raises(DatasetError, match=r"states 6x8, its picture is 8x6: .* EXIF orientation"):
        open_dataset(tmp_path).samples[0].marks()
    write(tmp_path / "c.json", [], [image(height=10**9, width=10**9)])
    with pytest.raises(DatasetError, match=r"states 1000000000x1000000000, .* not a resized one"):
        open_dataset(tmp_path).samples[0].marks()


@pytest.mark.parametrize("name", ["my part 1.png", "sub/my part 1.png", r"C:\data\sub\my part 1.png"])
def test_names_with_spaces_and_folders_are_found(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "images" / "sub" / "my part 1.png")
    data = open_dataset(write(tmp_path / "c.json", [crack([SQUARE])], [image(name=name)]))
    assert [sample.picture.name for sample in data.samples] == ["my part 1.png"]


def test_files_of_several_splits_are_one_data_set(tmp_path: Path) -> None:
    for split, name in (("train2017", "a.png"), ("val2017", "b.png"), ("test", "c.png")):
        picture(tmp_path / split / name)
        write(tmp_path / "annotations" / f"instances_{split}.json", [crack([SQUARE])], [image(name=name)])
    data = open_dataset(tmp_path)
    assert {sample.picture.name: sample.split for sample in data.samples} == {
        "a.png": "train",
        "b.png": "val",
        "c.png": "test",
    }
    assert data.is_split


@pytest.mark.parametrize("place", ["annotations/instances_{}.json", "{}/_annotations.coco.json"])
def test_pictures_of_one_name_are_told_apart_by_their_folder(tmp_path: Path, place: str) -> None:
    for split in ("train", "val"):
        picture(tmp_path / split / "1.png")
        write(tmp_path / place.format(split), [], [image(name="1.png")])
    assert {s.split: s.picture.parent.name for s in open_dataset(tmp_path).samples} == {"train": "train", "val": "val"}


def test_one_picture_in_two_files_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for name in ("first.json", "second.json"):
        write(tmp_path / name, [])
    with pytest.raises(DatasetError, match=r"first\.json and .*second\.json both describe .*a\.png: name one of them"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path / "second.json").samples) == 1


def test_one_picture_twice_in_a_file_is_a_fault(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = open_dataset(write(tmp_path / "c.json", [], [image(), image(2)]))
    assert len(data.samples) == 1
    assert faults(data) == [f"describes {tmp_path / 'a.png'} once more: keep one description"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"images": [{"id": 1, "file_na', "EOF while parsing"),
        ('{"images": [], "annotations": [{}], "categories": []}', r"annotations\.0\.image_id: Field required"),
        ('{"images": 1, "annotations": [], "categories": []}', "images: Input should be a valid"),
        ('{"images": [], "annotations": [], "categories": [{"id": [], "name": ""}]}', r"categories\.0\.id"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"c\.json.*{why}"):
        open_dataset(path, "coco" if "EOF" not in why else None)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", [], [image(5), image(5)])
    with pytest.raises(DatasetError, match=r"c\.json: image id 5 stands twice"):
        open_dataset(path)


def test_more_marks_than_a_hand_makes_are_refused(tmp_path: Path) -> None:
    data = one(tmp_path, *([crack([SQUARE])] * (MAX_MARKS + 1)))
    assert faults(data) == [f"has {MAX_MARKS + 1} shapes: at most {MAX_MARKS} are accepted"]


def drawn(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Do as pycocotools' annToMask."""
    if isinstance(segmentation, list):
        code = reference.merge(reference.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        code = reference.frPyObjects(segmentation, height, width)
    else:
        code = segmentation
    return np.asarray(reference.decode(code))


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("coco-cvat/instances_default.json", 29),
        ("coco-potato/instances_default.json", 1414),
        ("coco-rle/instances.json", 62),
        ("coco-rle/rle.json", 231),
        ("labelme-tool/as-coco.json", 12),
    ],
)
def test_real_files_give_the_masks_of_pycocotools(
    annotation_files: Path, tmp_path: Path, name: str, objects: int
) -> None:
    truth = json.loads((annotation_files / name).read_text(encoding="utf-8"))
    for entry in truth["images"]:
        picture(tmp_path / entry["file_name"], entry["height"], entry["width"])
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    data = open_dataset(tmp_path).sound()
    labels = {category["id"]: category["name"] for category in truth["categories"]}
    seen = 0
    for entry, sample in zip(truth["images"], data.samples, strict=True):
        expected = [a for a in truth["annotations"] if a["image_id"] == entry["id"]]
        for annotation, mark in zip(expected, sample.marks(), strict=True):
            mask = drawn(annotation["segmentation"], entry["height"], entry["width"])
            assert np.array_equal(mark.inside(), mask)
            assert mark.label == labels[annotation["category_id"]]
            assert mark.ignored == bool(annotation["iscrowd"])
            seen += 1
    assert seen == objects


@pytest.mark.parametrize(
    ("name", "found", "missing"),
    [
        ("coco-cvat", 5, 1),
        ("coco-potato", 0, 50),
        ("coco-rle/instances.json", 2, 8),
        ("coco-rle/rle.json", 1, 9),
        ("labelme-tool/as-coco.json", 2, 1),
    ],
)
def test_real_files_tell_the_pictures_that_are_not_there(
    annotation_files: Path, name: str, found: int, missing: int
) -> None:
    data = open_dataset(annotation_files / name)
    assert (len(data.samples), len(data.faults)) == (found, missing)
    assert all("is missing: put it below this folder" in why for why in faults(data))
    assert all(sample.marks() for sample in data.samples)
