"""Label Studio: regions in per cent, brush strokes, and which of several annotations counts."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import Dataset, open_dataset

if TYPE_CHECKING:
    from pathlib import Path

HALF = [[0, 0], [50, 0], [50, 100], [0, 100]]
RING = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1]], np.uint8)


def picture(path: Path, height: int = 6, width: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
    return path


def region(
    kind: str = "polygonlabels", label: str = "Crack", size: tuple[int, int] = (6, 8), **value: Any
) -> dict[str, Any]:
    value = value or {"points": HALF, "closed": True}
    return {
        "id": f"r{len(str(value))}{label}",
        "type": kind,
        "value": {**value, kind: [label]},
        "original_height": size[0],
        "original_width": size[1],
        "image_rotation": 0,
        "to_name": "image",
        "from_name": "label",
    }


def brush(alpha: np.ndarray) -> dict[str, Any]:
    """Write every word of every channel out in full."""
    words = np.repeat(alpha.ravel() * 255, 4).tolist()
    bits = f"{len(words):032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    bits += "".join(f"000000{word:08b}" for word in words)
    bits += "0" * (-len(bits) % 8)
    rle = list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return region("brushlabels", size=(alpha.shape[0], alpha.shape[1]), format="rle", rle=rle)


def task(*results: dict[str, Any], picture: str = "/data/upload/1/8f7a2b01-a.png", **more: Any) -> dict[str, Any]:
    annotation = {"id": 5, "result": list(results), "was_cancelled": False, "updated_at": "2023-01-31T07:40:19Z"}
    return {"id": 1, "data": {"image": picture, "comment": "none"}, "annotations": [annotation], **more}


def write(path: Path, *tasks: dict[str, Any]) -> Path:
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def one(root: Path, *results: dict[str, Any], height: int = 6, width: int = 8) -> Dataset:
    picture(root / "a.png", height, width)
    return open_dataset(write(root / "t.json", task(*results)))


def faults(data: Dataset) -> list[str]:
    return [fault.why for fault in data.faults]


def test_a_polygon_is_in_per_cent_of_width_and_height(tmp_path: Path) -> None:
    data = one(tmp_path, region()).sound()
    (mark,) = data.samples[0].marks()
    assert mark.inside()[:, :4].all()
    assert not mark.inside()[:, 4:].any()
    assert (mark.label, data.labels, data.format) == ("Crack", ("Crack",), "label_studio")


def test_brush_strokes_keep_holes_and_detached_parts(tmp_path: Path) -> None:
    (mark,) = one(tmp_path, brush(RING), height=3, width=4).sound().samples[0].marks()
    assert np.array_equal(mark.inside(), RING)


def test_an_ellipse_turns_clockwise_in_pixels(tmp_path: Path) -> None:
    turned = region("ellipselabels", size=(100, 200), x=50, y=50, radiusX=25, radiusY=5, rotation=45)
    data = one(tmp_path, turned, height=100, width=200)
    inside = data.samples[0].marks()[0].inside()
    assert inside[50 + 30, 100 + 30]  # half a width of 25 % is 50 pixels: at 45 degrees some 35 right and 35 down
    assert not inside[50 - 30, 100 + 30]
    assert abs(int(inside.sum()) - np.pi * 50 * 5) < 20


def test_a_bitmask_is_what_is_not_transparent(tmp_path: Path) -> None:
    rgba = np.zeros((3, 4, 4), np.uint8)
    rgba[..., 3] = RING * 255
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "png")
    address = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    data = one(tmp_path, region("bitmasklabels", size=(3, 4), imageDataURL=address), height=3, width=4)
    assert np.array_equal(data.samples[0].marks()[0].inside(), RING)


def test_a_label_may_stand_in_a_result_of_its_own(tmp_path: Path) -> None:
    outline, label, choice = region(), region("labels", "Rust"), region("choices", "sure")
    for result in (outline, label, choice):
        result["id"] = "same"
    del outline["value"]["polygonlabels"]
    del label["value"]["points"]
    (mark,) = one(tmp_path, outline, label, choice).sound().samples[0].marks()
    assert mark.label == "Rust"


@pytest.mark.parametrize("labels", [[], ["Crack", "Rust"]])
def test_a_region_without_one_label_is_a_fault(tmp_path: Path, labels: list[str]) -> None:
    result = region()
    result["value"]["polygonlabels"] = labels
    assert faults(one(tmp_path, result))[0].endswith(f"has {len(labels)} labels: give it one")


def test_boxes_points_and_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    others = [
        region("rectanglelabels", x=1, y=2, width=3, height=4, rotation=0),
        region("keypointlabels", x=1, y=2, width=0.3),
        region("vectorlabels", vertices=[{"x": 1, "y": 2}]),
    ]
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    data = one(tmp_path, region(), *others, relation)
    assert len(data.sound().samples[0].marks()) == 1
    assert data.notes == ("1 boxes, 1 lines, 1 points were passed over: they are no masks",)
    assert "has only 1 boxes, 1 lines, 1 points and no mask" in faults(one(tmp_path, *others))[0]


def test_an_annotation_without_regions_is_clean_and_a_task_without_annotation_is_not(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    data = open_dataset(write(tmp_path / "t.json", task(), task(picture="b.png", annotations=[]))).sound()
    assert [sample.marks() for sample in data.samples] == [[]]
    assert data.notes == ("1 pictures are not annotated: they were passed over",)


def test_cancelled_annotations_do_not_count_and_the_latest_of_others_does(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    versions: list[dict[str, Any]] = [
        {"result": [region(label="Old")], "updated_at": "2023-01-01T00:00:00Z"},
        {"result": [region(label="New")], "updated_at": "2023-03-01T00:00:00Z"},
        {"result": [region(label="Skipped")], "updated_at": "2023-05-01T00:00:00Z", "was_cancelled": True},
    ]
    data = open_dataset(write(tmp_path / "t.json", task(annotations=versions)))
    assert [mark.label for mark in data.samples[0].marks()] == ["New"]
    assert data.notes == ("1 pictures have several annotations: the ground truth was taken, else the latest",)
    versions[0]["ground_truth"] = True
    data = open_dataset(write(tmp_path / "t.json", task(annotations=versions)))
    assert [mark.label for mark in data.samples[0].marks()] == ["Old"]


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("/data/upload/1/8f7a2b01-a.png", "8f7a2b01-a.png"),
        ("/data/upload/1/8f7a2b01-a.png", "a.png"),
        ("upload/1/8f7a2b01-a.png", "a.png"),
        ("/data/local-files/?d=parts/my%20part.png", "parts/my part.png"),
        ("https://host.example/x/a%20b.png?sig=1#top", "a b.png"),
        ("s3://bucket/line 1/a.png", "line 1/a.png"),
        (r"C:\parts\a.png", "a.png"),
    ],
)
def test_pictures_are_found_by_what_tasks_call_them(tmp_path: Path, named: str, file: str) -> None:
    picture(tmp_path / file)
    data = open_dataset(write(tmp_path / "t.json", task(region(), picture=named))).sound()
    assert data.samples[0].picture == tmp_path / file


def test_a_picture_uploaded_under_another_address_is_found_by_its_upload(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = open_dataset(write(tmp_path / "t.json", task(region(), picture="/image2", file_upload="e97d4735-a.png")))
    assert len(data.sound().samples) == 1


def test_a_task_of_several_pictures_is_a_fault(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path / "t.json", task(region(), data={"images": ["a.png", "b.png"]})))
    assert faults(data) == ["shows several pictures: make one task of each"]
    mixed = open_dataset(write(tmp_path / "m.json", task(region(), region(label="B", size=(3, 4)))))
    assert faults(mixed) == ["shows several pictures: make one task of each"]


def test_a_turned_picture_is_a_fault(tmp_path: Path) -> None:
    assert faults(one(tmp_path, {**region(), "image_rotation": 90})) == [
        "was annotated on a turned picture: save the picture turned and annotate that"
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"points": [[0, 0], [50, 0]]}, "2 points: at least three"),
        ({"points": []}, "0 points"),
        ({"points": [[0, 0], [50, float("nan")], [1, 1]]}, "not finite"),
        ({"points": [[0, 0], [1e300, 0], [1, 1]]}, "far outside"),
        ({"points": [[0, 0, 1], [50, 0, 1]]}, "can't be read as what it claims"),
        ({"points": 5}, "can't be read"),
        ({"points": HALF, "closed": False}, "its outline is not closed"),
        ({"rle": 10**12, "format": "rle"}, "can't be read"),
        ({"rle": [256], "format": "rle"}, "can't be read"),
        ({"rle": [0, 0, 0, 192], "format": "rle"}, "cut short"),
        ({"rle": [255] * 60, "format": "rle"}, "none of a picture of 8x6"),
        ({"imageDataURL": "data:image/png;base64,AAAA"}, "not a PNG that can be read"),
        ({"imageDataURL": 1}, "can't be read"),
        ({"x": 1, "y": 1, "radiusX": 1}, "can't be read"),
        ({"x": 1, "y": 1, "radiusX": 1e9, "radiusY": 1}, "larger than the picture"),
        ({"x": 1, "y": 1, "radiusX": -1e9, "radiusY": 1}, "far outside"),
        ({"x": 1, "y": 1, "radiusX": 1, "radiusY": 1, "rotation": float("inf")}, "not finite"),
    ],
)
def test_a_broken_region_is_told_with_its_place(tmp_path: Path, value: dict[str, Any], why: str) -> None:
    result = {**region(**value), "id": "xyz"}
    (sample,) = one(tmp_path, result).samples
    with pytest.raises(DatasetError, match=rf"t\.json: task 1: region 'xyz': .*{why}.*: draw it again or remove it"):
        sample.marks()


def test_a_stated_size_that_is_not_the_pictures_is_refused(tmp_path: Path) -> None:
    data = one(tmp_path, region(size=(8, 6)))
    with pytest.raises(DatasetError, match=r"states 6x8, its picture is 8x6: .*EXIF"):
        data.samples[0].marks()


def test_the_short_form_is_refused_with_what_to_do(tmp_path: Path) -> None:
    short = {"image": "a.png", "id": 1, "label": [], "annotator": 1, "annotation_id": 2, "lead_time": 1.5}
    with pytest.raises(DatasetError, match=r"t\.json: is JSON-MIN, .*: export as JSON"):
        open_dataset(write(tmp_path / "t.json", short))


def test_the_name_annotations_once_had_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    old = task(region())
    old["completions"] = old.pop("annotations")
    old["completions"][0]["created_at"] = 1560000000
    assert len(open_dataset(write(tmp_path / "t.json", old)).sound().samples[0].marks()) == 1


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", task(region()), task(region()))
    path.write_text(path.read_text(encoding="utf-8")[:-60], encoding="utf-8")
    with pytest.raises(DatasetError, match=r"t\.json: .*EOF"):
        open_dataset(path)


def test_a_real_file_gives_its_polygon_once_its_picture_is_there(annotation_files: Path, tmp_path: Path) -> None:
    source = annotation_files / "label-studio" / "polygons.json"
    (why,) = faults(open_dataset(source))
    assert "the picture '000000000025.jpg' is missing" in why
    (tmp_path / "t.json").write_bytes(source.read_bytes())
    picture(tmp_path / "000000000025.jpg", 426, 640)
    (mark,) = open_dataset(tmp_path).sound().samples[0].marks()
    (stated,) = json.loads(source.read_text(encoding="utf-8"))[0]["annotations"][0]["result"]
    points = np.array(stated["value"]["points"]) * (6.4, 4.26)
    x, y = points.T
    area = abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
    assert mark.label == "Airplane"
    assert abs(int(mark.inside().sum()) - area) < 0.01 * area
