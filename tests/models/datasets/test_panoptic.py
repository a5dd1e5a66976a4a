"""COCO panoptic: segments by colour, things and stuff, and two files that must agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from edge.errors import DatasetError
from edge.rle import decode
from models.datasets import open_dataset
from models.datasets.panoptic import rles
from tests.models.one_mark import why

IDS = np.array([[0, 0, 300, 300], [70000, 0, 300, 300], [0, 70000, 300, 70000]], np.int32)


def save(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)).save(path)


def segment(id_: int, category: int = 1, **more: object) -> dict[str, Any]:
    return {"id": id_, "category_id": category, **more}


def write(root: Path, segments: list[dict[str, Any]], **more: object) -> Path:
    data = {
        "images": [{"id": 9, "file_name": "a.jpg", "height": 3, "width": 4}],
        "annotations": [{"image_id": 9, "file_name": "a.png", "segments_info": segments}],
        "categories": [{"id": 1, "name": "bolt", "isthing": 1}, {"id": 2, "name": "rust", "isthing": 0}],
    }
    path = root / "panoptic.json"
    path.write_text(json.dumps(data | more), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg")
    save(tmp_path / "panoptic" / "a.png", IDS)
    return tmp_path


def test_things_are_objects_stuff_is_not_and_void_is_ignored(root: Path) -> None:
    write(root, [segment(300), segment(70000, 2)])
    data = open_dataset(root).sound()
    marks = {mark.label: mark for mark in data.samples[0].marks()}
    assert {label: (mark.is_object, mark.ignored) for label, mark in marks.items()} == {
        "void": (False, True),
        "bolt": (True, False),
        "rust": (False, False),
    }
    assert np.array_equal(marks["bolt"].inside(), IDS == 300)
    assert np.array_equal(marks["rust"].inside(), IDS == 70000)
    assert np.array_equal(marks["void"].inside(), IDS == 0)
    assert data.labels == ("bolt", "rust")


def test_a_crowd_is_ignored(root: Path) -> None:
    write(root, [segment(300, iscrowd=1), segment(70000)])
    assert [mark.ignored for mark in open_dataset(root).samples[0].marks()] == [True, True, False]


@given(values=arrays(np.int32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3)))
def test_the_runs_of_all_values_are_the_map(values: np.ndarray) -> None:
    drawn = {value: decode(rle) for value, rle in rles(values).items()}
    assert drawn.keys() == set(np.unique(values))
    assert all(np.array_equal(mask, values == value) for value, mask in drawn.items())


def test_a_map_of_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="has 40000 colours"):
        rles(np.arange(40000, dtype=np.int32).reshape(200, 200))


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ([segment(300)], r"a\.png: holds the segment 70000, which .*image 9 does not list"),
        ([segment(300), segment(70000), segment(5)], r"image 9: segment 5 is not in .*a\.png"),
    ],
)
def test_a_png_and_a_list_that_disagree_are_refused(root: Path, segments: list[dict[str, Any]], told: str) -> None:
    write(root, segments)
    with pytest.raises(DatasetError, match=told):
        open_dataset(root).samples[0].marks()


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ([segment(300, 7)], "the category 7 is not listed"),
        ([segment(300), segment(300)], "the segment id 300 stands twice"),
        ([segment(0)], "the segment id 0 stands twice, or is that of no segment"),
    ],
)
def test_a_list_that_makes_no_sense_is_a_fault(root: Path, segments: list[dict[str, Any]], told: str) -> None:
    write(root, segments)
    assert told in why(open_dataset(root))


def test_a_missing_mask_is_a_fault(root: Path) -> None:
    write(root, [segment(300)])
    (root / "panoptic" / "a.png").unlink()
    assert why(open_dataset(root)) == "its mask 'a.png' is missing: put it below the data set's folder"


def test_a_picture_without_annotation_is_a_fault_since_nothing_says_it_is_clean(root: Path) -> None:
    write(root, [], annotations=[{"image_id": 1, "file_name": "x.png", "segments_info": []}])
    told = {fault.where.rpartition(": ")[2]: fault.why for fault in open_dataset(root).faults}
    assert told == {
        "image 9": "has no annotation, so no mask: annotate it or remove it",
        "image 1": "is annotated but not listed, or annotated twice: remove one",
    }


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_mask_is_never_taken_for_its_picture(tmp_path: Path, suffix: str) -> None:
    images = [{"id": 9, "file_name": f"a{suffix}", "height": 3, "width": 4}]
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "images" / f"a{suffix}")
    save(tmp_path / "panoptic-masks" / "a.png", IDS)
    write(tmp_path, [segment(300), segment(70000)], images=images)
    (sample,) = open_dataset(tmp_path).sound().samples
    assert sample.picture.parent.name == "images"
    assert len(sample.marks()) == 3


def test_masks_in_two_folders_that_fit_alike_are_refused(root: Path) -> None:
    path = write(root, [segment(300)])
    save(root / "a" / "a.png", IDS)
    save(root / "b" / "a.png", IDS)
    (root / "panoptic" / "a.png").unlink()
    with pytest.raises(DatasetError, match="both hold its masks: call the right one panoptic"):
        open_dataset(path)


@pytest.mark.parametrize("ids", [IDS.T, IDS[:2]])
def test_a_mask_of_another_size_is_refused(root: Path, ids: np.ndarray) -> None:
    write(root, [segment(300), segment(70000)])
    save(root / "panoptic" / "a.png", ids)
    with pytest.raises(DatasetError, match=r"a\.png: its mask is \dx\d, its picture 4x3: give the PNG that belongs to"):
        open_dataset(root).samples[0].marks()


def test_a_mask_that_is_no_picture_is_refused(root: Path) -> None:
    write(root, [segment(300)])
    (root / "panoptic" / "a.png").write_bytes(b"\x89PNG cut")
    with pytest.raises(DatasetError, match=r"a\.png: its mask is not a PNG that can be read"):
        open_dataset(root).samples[0].marks()


def test_real_segments_have_the_areas_and_boxes_that_their_file_states(annotation_files: Path) -> None:
    path = annotation_files / "coco-rle" / "panoptic.json"
    data, truth = open_dataset(path), json.loads(path.read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in truth["categories"]}
    assert (len(data.samples), len(data.faults), len(data.labels)) == (3, 17, 133)
    assert all("is missing" in fault.why for fault in data.faults)
    segments = {Path(a["file_name"]).stem: a["segments_info"] for a in truth["annotations"]}
    for sample in data.samples:
        stated = [(names[s["category_id"]], s["area"], s["bbox"]) for s in segments[sample.picture.stem]]
        found = []
        for mark in sample.marks():
            rows, columns = np.nonzero(mark.inside())
            left, top = int(columns.min()), int(rows.min())
            box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
            found += [] if mark.ignored and mark.label == "void" else [(mark.label, len(rows), box)]
        assert sorted(found) == sorted(stated)


def test_a_folder_with_instances_and_panoptic_asks_for_a_choice(annotation_files: Path) -> None:
    with pytest.raises(DatasetError, match=r"looks like coco \(instances\.json\), panoptic \(panoptic\.json\)"):
        open_dataset(annotation_files / "coco-rle")
