"""Labelbox: three forms of file, masks only where they are at hand."""

from __future__ import annotations

import base64
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import Dataset, open_dataset

if TYPE_CHECKING:
    from pathlib import Path

BEHIND_A_URL = (
    "is a mask behind a URL, and nothing is downloaded: "
    "save it in this folder and write its file name in place of the URL"
)
SQUARE = [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 4}, {"x": 1, "y": 4}]
RING = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]], np.uint8)


def picture(path: Path, height: int = 6, width: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
    return path


def png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def outlined(**more: object) -> dict[str, Any]:
    return {"name": "Blue bird", "value": "blue_bird", "annotation_kind": "ImagePolygon", "polygon": SQUARE, **more}


def row(*objects: dict[str, Any], name: str = "a.png", height: int = 6, width: int = 8) -> dict[str, Any]:
    label = {"label_kind": "Default", "annotations": {"objects": list(objects), "classifications": []}}
    return {
        "data_row": {"id": "clf9", "external_id": name, "row_data": f"https://store.example/x%20y/{name}?Expires=1"},
        "media_attributes": {"height": height, "width": width, "mime_type": "image/png"},
        "projects": {"cltd": {"name": "Birds", "labels": [label], "project_details": {}}},
    }


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return path


def one(root: Path, *objects: dict[str, Any]) -> Dataset:
    picture(root / "a.png")
    return open_dataset(write(root / "e.ndjson", row(*objects)))


def faults(data: Dataset) -> list[str]:
    return [fault.why for fault in data.faults]


@pytest.mark.parametrize("form", ["one line", "lines", "list", "indented"])
def test_an_export_is_read_in_every_outer_form(tmp_path: Path, form: str) -> None:
    rows = [row(outlined()), row(name="b.png")][: 1 if form in ("one line", "indented") else 2]
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    if form == "list":
        (tmp_path / "e.json").write_text(json.dumps(rows), encoding="utf-8")
    elif form == "indented":
        (tmp_path / "e.json").write_text(json.dumps(rows[0], indent=2), encoding="utf-8")
    else:
        write(tmp_path / "e.ndjson", *rows)
    data = open_dataset(tmp_path).sound()
    assert [(s.picture.name, [m.label for m in s.marks()]) for s in data.samples] == [
        ("a.png", ["Blue bird"]),
        ("b.png", []),
    ][: len(rows)]
    assert (data.format, data.labels) == ("labelbox", ("Blue bird",))


def test_a_polygon_is_filled(tmp_path: Path) -> None:
    (mark,) = one(tmp_path, outlined()).samples[0].marks()
    assert np.argwhere(mark.inside()).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3, 4)]
    assert mark.is_object


def test_a_picture_is_found_by_key_or_address_where_it_has_no_name(tmp_path: Path) -> None:
    by_key, by_address = row(outlined()), row(outlined())
    by_key["data_row"] = {"id": "1", "global_key": "b.png", "external_id": None}
    by_address["data_row"] = {"id": "2", "row_data": "gs://bucket/dir/c%20d.png?X=/e.png"}
    for name in ("b.png", "c d.png"):
        picture(tmp_path / name)
    data = open_dataset(write(tmp_path / "e.ndjson", by_key, by_address)).sound()
    assert [sample.picture.name for sample in data.samples] == ["b.png", "c d.png"]


@pytest.mark.parametrize("key", ["mask", "composite_mask"])
def test_a_mask_behind_a_url_is_refused_and_never_fetched(tmp_path: Path, key: str) -> None:
    data = one(tmp_path, {"name": "bird", key: {"url": "https://api.example/masks/1"}}, outlined())
    assert data.samples == ()
    assert faults(data) == [f"object 1 ('bird'): {BEHIND_A_URL}"]


def test_a_mask_beside_the_pictures_is_read_by_its_colour_hole_and_all(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 3, 4)
    colours = np.zeros((3, 4, 3), np.uint8)
    colours[RING == 1] = (10, 20, 30)
    colours[0, 3] = (10, 20, 31)
    Image.fromarray(colours).save(tmp_path / "composite.png")
    thing = {"name": "ring", "composite_mask": {"url": "composite.png", "color_rgb": [10, 20, 30]}}
    data = open_dataset(write(tmp_path / "e.ndjson", row(thing, height=3, width=4)))
    (mark,) = data.sound().samples[0].marks()
    assert np.array_equal(mark.inside(), RING)


@pytest.mark.parametrize("key", ["png", "imBytes"])
def test_a_mask_inside_the_file_is_read(tmp_path: Path, key: str) -> None:
    picture(tmp_path / "a.png", 3, 4)
    rows = [{"uuid": "u", "dataRow": {"globalKey": "a.png"}, "name": "ring", "mask": {key: png(RING * 255)}}]
    (mark,) = open_dataset(write(tmp_path / "import.ndjson", *rows)).sound().samples[0].marks()
    assert np.array_equal(mark.inside(), RING)


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        ({"png": png(RING * 0)}, "has no pixel of the colour white"),
        ({"png": png(RING * 255), "colorRGB": [1, 2, 3]}, r"has no pixel of the colour \(1, 2, 3\)"),
        ({"png": png(RING.T.copy())}, "is 3x4, its picture 4x3"),
        ({"png": base64.b64encode(b"\x89PNG").decode()}, "is not a PNG that can be read"),
    ],
)
def test_a_mask_that_marks_nothing_or_does_not_fit_is_refused(tmp_path: Path, mask: object, why: str) -> None:
    picture(tmp_path / "a.png", 3, 4)
    path = write(tmp_path / "i.ndjson", {"dataRow": {"globalKey": "a.png"}, "name": "ring", "mask": mask})
    with pytest.raises(DatasetError, match=rf"data row 'a\.png': object 1 \('ring'\): its mask {why}"):
        open_dataset(path).samples[0].marks()


@pytest.mark.parametrize(
    ("mask", "why"),
    [({"png": "%"}, "its mask is not base64 text"), ({"url": "b.png"}, "the picture 'b.png' is missing")],
)
def test_a_mask_that_is_not_there_is_a_fault(tmp_path: Path, mask: object, why: str) -> None:
    (told,) = faults(one(tmp_path, {"name": "ring", "mask": mask}))
    assert why in told


@pytest.mark.parametrize(
    "polygon",
    [5, [1, 2], [{"x": 1}], [{"x": "1", "y": 2}], [{"x": 10**400, "y": 2}], SQUARE[:2], [{"x": 1e300, "y": 1}]],
)
def test_a_broken_polygon_is_told_with_its_place(tmp_path: Path, polygon: object) -> None:
    (sample,) = one(tmp_path, outlined(polygon=polygon)).samples
    with pytest.raises(
        DatasetError, match=r"e\.ndjson: row 1: object 1 \('Blue bird'\): .*: draw it again or remove it"
    ):
        sample.marks()


def test_boxes_points_and_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [
        {"name": "a", "bounding_box": {"top": 1, "left": 1, "height": 2, "width": 2}},
        {"name": "b", "point": {"x": 1, "y": 2}},
        {"name": "c", "line": SQUARE},
    ]
    data = one(tmp_path, outlined(), *others)
    assert len(data.samples[0].marks()) == 1
    assert data.notes == ("1 boxes, 1 lines, 1 points were passed over: they are no masks",)
    assert data.labels == ("Blue bird",)
    assert faults(one(tmp_path, *others)) == [
        "has only 1 boxes, 1 lines, 1 points and no mask: outline what is marked, or remove the picture"
    ]


def test_rows_nobody_has_labelled_are_not_taken_for_clean(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    unlabelled = row()
    unlabelled["projects"]["cltd"]["labels"] = []
    data = open_dataset(write(tmp_path / "e.ndjson", unlabelled))
    assert data.samples == ()
    assert data.notes == ("1 pictures are not labelled yet: they were passed over",)


@pytest.mark.parametrize("more", [{"Skipped": True, "Label": {"objects": []}}, {"Label": "Skip"}, {"Label": {}}])
def test_skipped_rows_of_old_exports_are_not_taken_for_clean(tmp_path: Path, more: dict[str, object]) -> None:
    picture(tmp_path / "a.png")
    old = {"Labeled Data": "https://store.example/a.png", "External ID": "a.png", **more}
    (tmp_path / "e.json").write_text(json.dumps([old]), encoding="utf-8")
    data = open_dataset(tmp_path)
    assert data.samples == ()
    assert data.notes == ("1 pictures are not labelled yet: they were passed over",)


def test_two_labels_of_one_picture_are_a_fault(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    twice = row(outlined())
    twice["projects"]["other"] = twice["projects"]["cltd"]
    data = open_dataset(write(tmp_path / "e.ndjson", twice))
    assert faults(data) == ["has 2 labels, of several people or projects: export the one that counts"]


def test_a_video_is_a_fault(tmp_path: Path) -> None:
    video = row()
    video["projects"]["cltd"]["labels"][0]["annotations"] = {"frames": {"1": {"objects": {}}}}
    data = open_dataset(write(tmp_path / "e.ndjson", video))
    assert faults(data) == ["is a video: export its frames as pictures"]


def test_a_stated_size_that_is_not_the_pictures_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = open_dataset(write(tmp_path / "e.ndjson", row(outlined(), height=8, width=6)))
    with pytest.raises(DatasetError, match=r"states 6x8, its picture is 8x6: .*EXIF"):
        data.samples[0].marks()


def test_a_line_cut_short_is_refused_with_its_number(tmp_path: Path) -> None:
    path = write(tmp_path / "e.ndjson", row(), row(name="b.png"))
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(DatasetError, match=r"e\.ndjson:2: .*EOF"):
        open_dataset(path)


@pytest.mark.parametrize("name", ["image_export", "highly_nested_image"])
def test_real_exports_are_refused_for_their_masks_behind_urls(annotation_files: Path, name: str) -> None:
    data = open_dataset(annotation_files / "labelbox" / f"{name}.json")
    (why,) = faults(data)
    assert "is a mask behind a URL, and nothing is downloaded" in why
    assert data.samples == ()


def test_a_real_export_is_read_once_its_mask_is_saved(annotation_files: Path, tmp_path: Path) -> None:
    export = json.loads((annotation_files / "labelbox" / "image_export.json").read_text(encoding="utf-8"))
    picture(tmp_path / "2560px-Kitano_Street_Kobe01s5s4110.jpg", 1707, 2560)
    mask = np.zeros((1707, 2560), np.uint8)
    mask[5:9, 7:9] = 255
    Image.fromarray(mask).save(tmp_path / "saved.png")
    (by_url,) = (thing for thing in export["Label"]["objects"] if thing["value"] == "segmentation")
    by_url["instanceURI"] = "saved.png"
    (tmp_path / "e.json").write_text(json.dumps(export), encoding="utf-8")
    data = open_dataset(tmp_path / "e.json").sound()
    marks = data.samples[0].marks()
    assert [mark.label for mark in marks] == ["segmentation", "polygon", "polygon"]
    assert np.array_equal(marks[0].inside(), mask > 0)
    assert all(mark.inside().any() for mark in marks)
    assert data.notes == ("4 boxes, 2 lines, 1 points were passed over: they are no masks",)


@pytest.mark.parametrize("name", ["image_import", "image_import_name_only", "nested_import"])
def test_real_imports_are_refused_since_they_name_no_picture(annotation_files: Path, name: str, tmp_path: Path) -> None:
    shutil.copy(annotation_files / "labelbox" / f"{name}.json", tmp_path)
    (why,) = faults(open_dataset(tmp_path))
    assert "names its picture by Labelbox's own id only: give an export" in why
