"""VIA: three ways in which it writes one thing, and which attribute is the label."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import open_dataset
from tests.conftest import SHARED
from tests.models.one_mark import inside, why

if TYPE_CHECKING:
    from pathlib import Path

    from models.datasets import Dataset

WIDTH, HEIGHT = 20, 16
SQUARE = {"name": "polygon", "all_points_x": [2, 8, 8, 2], "all_points_y": [2, 2, 8, 8]}
RECT = {"name": "rect", "x": 1, "y": 1, "width": 4, "height": 4}

HEAD = (
    "#filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)

Json = dict[str, object]


def region(outline: Json | None = None, **attributes: object) -> Json:
    return {"shape_attributes": SQUARE if outline is None else outline, "region_attributes": attributes}


def crack(outline: Json | None = None) -> Json:
    return region(outline, kind="crack")


def entry(*regions: Json, name: str = "a.jpg") -> Json:
    return {"filename": name, "size": 12, "regions": list(regions), "file_attributes": {}}


def export(*entries: Json) -> Json:
    return {f"{one['filename']}{place}": one for place, one in enumerate(entries)}


def dataset(root: Path, data: object) -> Dataset:
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "a.jpg")
    (root / "via.json").write_text(json.dumps(data), encoding="utf-8")
    return open_dataset(root)


def write_csv(path: Path, *entries: Json) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        for one in entries:
            regions = one["regions"]
            assert isinstance(regions, list)
            for number, part in enumerate(regions or [{"shape_attributes": {}, "region_attributes": {}}]):
                cells = [json.dumps(part[key]) for key in ("shape_attributes", "region_attributes")]
                table.writerow([one["filename"], one["size"], "{}", len(regions), number, *cells])


@pytest.mark.parametrize("form", ["export", "project", "numbered", "csv"])
def test_every_way_of_writing_gives_the_same(tmp_path: Path, form: str) -> None:
    one = entry(crack(), crack(RECT))
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg")
    if form == "csv":
        write_csv(tmp_path / "via.csv", one)
        data = open_dataset(tmp_path)
    elif form == "project":
        data = dataset(tmp_path, {"_via_settings": {}, "_via_img_metadata": export(one), "_via_attributes": {}})
    else:
        regions = {"0": crack(), "1": crack(RECT)} if form == "numbered" else one["regions"]
        data = dataset(tmp_path, export({**one, "regions": regions}))
    assert (data.format, data.labels, data.faults) == ("via", ("crack",), ())
    assert inside(data)[2:8, 2:8].all()
    assert inside(data).sum() == 36
    assert data.notes == ("1 boxes were passed over: they are no masks",)


def test_circles_and_ellipses_are_masks(tmp_path: Path) -> None:
    circle = {"name": "circle", "cx": 8, "cy": 8, "r": 4}
    upright = {"name": "ellipse", "cx": 8, "cy": 8, "rx": 6, "ry": 2, "theta": np.pi / 2}
    lying = {"name": "ellipse", "cx": 8, "cy": 8, "rx": 6, "ry": 2}
    (sample,) = dataset(tmp_path, export(entry(crack(circle), crack(upright), crack(lying)))).samples
    extents = [(m.inside().any(axis=1).sum(), m.inside().any(axis=0).sum()) for m in sample.marks()]
    assert extents == [(8, 8), (12, 4), (4, 12)]


def test_an_ellipse_turns_as_the_tool_draws_it(tmp_path: Path) -> None:
    outline = {"name": "ellipse", "cx": 8, "cy": 8, "rx": 7, "ry": 1.5, "theta": np.pi / 4}
    pixels = inside(dataset(tmp_path, export(entry(crack(outline)))))
    assert pixels[11, 11]  # right and down: the canvas turns clockwise
    assert not pixels[4, 11]


def test_a_picture_without_regions_is_clean(tmp_path: Path) -> None:
    (sample,) = dataset(tmp_path, export(entry())).samples
    assert sample.marks() == []


def test_a_row_without_a_region_is_a_clean_picture(tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg")
    write_csv(tmp_path / "via.csv", entry())
    (sample,) = open_dataset(tmp_path).samples
    assert sample.marks() == []


def test_a_picture_with_boxes_only_is_not_taken_for_clean(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(crack(RECT))))
    assert not data.samples
    assert "has only 1 boxes" in why(data)


def test_of_several_attributes_the_one_that_all_regions_have_is_the_label(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(region(kind="crack", note="x"), region(kind="hole"))))
    assert data.labels == ("crack", "hole")
    assert data.notes == ("of the attributes kind, note the label is kind",)


def test_of_attributes_that_all_regions_have_the_one_called_so_is_the_label(tmp_path: Path) -> None:
    assert dataset(tmp_path, export(entry(region(Class="crack", by="me")))).labels == ("crack",)


def test_attributes_of_which_none_is_plainly_the_label_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the attributes by, kind: which one is the label"):
        dataset(tmp_path, export(entry(region(kind="crack", by="me"))))


def test_a_tick_box_is_a_label_where_one_is_ticked(tmp_path: Path) -> None:
    ticked = region(kind={"crack": True, "hole": False})
    assert dataset(tmp_path, export(entry(ticked))).labels == ("crack",)


def test_two_ticks_are_no_label(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(region(kind={"crack": True, "hole": True})), entry(crack(), name="b.jpg")))
    assert "region 1 has no kind" in data.faults[0].why


def test_without_attributes_every_region_has_one_label(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(region())))
    assert data.labels == ("region",)
    assert "regions have no attribute" in data.notes[0]


def test_a_region_without_its_label_is_a_fault(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(crack(), region(kind=" "))))
    assert not data.samples
    assert "region 2 has no kind" in why(data)


def test_names_that_differ_in_case_find_their_picture(tmp_path: Path) -> None:
    assert len(dataset(tmp_path, export(entry(crack(), name="A.JPG"))).samples) == 1


def test_one_picture_under_two_sizes_is_a_fault(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(crack()), entry()))
    assert len(data.samples) == 1
    assert "once more" in why(data)


def test_a_picture_that_is_missing_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    data = dataset(tmp_path, export(entry(crack()), entry(crack(), name="b.jpg")))
    assert len(data.samples) == 1
    assert "is missing" in why(data)


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ({**SQUARE, "all_points_x": [1, 2]}, "2 x and 4 y"),
        ({"name": "polygon"}, "at least three"),
        ({**SQUARE, "all_points_x": [1e300] * 4}, "far outside"),
        ({"name": "circle", "cx": 1, "cy": 1, "r": 1e9}, "larger than the picture"),
        ({"name": "ellipse", "cx": -1e9, "cy": 1, "rx": 1, "ry": 1}, "far outside"),
    ],
)
def test_a_broken_outline_is_named(tmp_path: Path, outline: Json, reason: str) -> None:
    (sample,) = dataset(tmp_path, export(entry(crack(outline)))).samples
    with pytest.raises(DatasetError, match=rf"via\.json: a\.jpg0: region 1: .*{reason}"):
        sample.marks()


@pytest.mark.parametrize(
    "broken",
    [
        7,
        None,
        {"filename": None},
        entry(crack({"name": "polygon", "all_points_x": "x"})),
        entry(crack({"name": "polygon", "all_points_x": [float("nan")]})),
        {"filename": "b.jpg", "regions": 3},
        {"filename": "b.jpg", "regions": [{}]},
    ],
)
def test_a_damaged_entry_takes_no_other_with_it(tmp_path: Path, broken: object) -> None:
    data = dataset(tmp_path, {"b.jpg7": broken, **export(entry(crack()))})
    assert len(data.samples) == 1
    assert why(data)


@pytest.mark.parametrize("text", ['{"_via_img_metadata": {"a.jpg1": ', '{"_via_img_metadata": 3}'])
def test_a_damaged_file_is_one_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "via.json").write_text(text, encoding="utf-8")
    assert why(open_dataset(tmp_path, "via"))


@pytest.mark.parametrize("cells", ["a.jpg,1,{},1,0,{broken,{}", "a.jpg", "a.jpg,1,{},1,0," + "x" * 200_000])
def test_a_damaged_row_is_a_fault(tmp_path: Path, cells: str) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg")
    (tmp_path / "via.csv").write_text(f"{','.join(HEAD)}\n{cells}\n", encoding="utf-8")
    assert why(open_dataset(tmp_path))


@pytest.fixture
def real() -> Path:
    folder = SHARED / "annotations" / "via-rice"
    if not folder.is_dir():
        pytest.skip("needs the VIA files in ../shared/data/annotations/via-rice")
    return folder


def test_a_real_project_is_read_once_though_it_is_there_twice(real: Path) -> None:
    data = open_dataset(real)
    assert set(data.labels) == {"bacteria", "brown_spot", "leaf_smut"}
    assert (len(data.samples), data.faults) == (16, ())
    assert data.notes == ("via_region_data.csv was passed over: the JSON file was read",)


def test_both_exports_of_a_real_project_mark_the_same(real: Path) -> None:
    as_json, as_csv = (open_dataset(real / f"via_region_data.{suffix}") for suffix in ("json", "csv"))
    assert [s.picture for s in as_json.samples] == [s.picture for s in as_csv.samples]
    assert [s.marks() for s in as_json.samples] == [s.marks() for s in as_csv.samples]
    assert sum(len(sample.marks()) for sample in as_json.samples) == sum(1 for _ in _rows(real))


def _rows(real: Path) -> list[str]:
    return (real / "via_region_data.csv").read_text(encoding="utf-8").splitlines()[1:]
