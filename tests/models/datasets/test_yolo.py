"""YOLO segmentation: which picture belongs to which text file, and what counts as clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from edge.errors import DatasetError
from models.annotation import MAX_MARKS
from models.datasets import open_dataset
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from models.datasets import Dataset

WIDTH, HEIGHT = 20, 10
SQUARE = "0 0.1 0.2 0.5 0.2 0.5 0.8 0.1 0.8"
YAML = "train: images/train\nval: images/val\nnames: [crack, hole]\n"


def add(root: Path, picture: str, text: str | bytes | None) -> None:
    """Write a picture and, beside `images`, its label file."""
    path = root / picture
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    if text is not None:
        label = (root / picture.replace("images/", "labels/")).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_bytes(text if isinstance(text, bytes) else text.encode())


def described(root: Path, yaml: str = YAML) -> Dataset:
    (root / "data.yaml").write_text(yaml, encoding="utf-8")
    return open_dataset(root, "yolo")


def dataset(root: Path, text: str | bytes | None) -> Dataset:
    add(root, "images/train/a.jpg", text)
    add(root, "images/val/b.jpg", SQUARE)
    return described(root)


def names(data: Dataset) -> list[tuple[str, str | None]]:
    return [(sample.picture.name, sample.split) for sample in data.samples]


def whys(data: Dataset) -> list[str]:
    return [fault.why for fault in data.faults]


def test_an_outline_is_scaled_to_its_picture(tmp_path: Path) -> None:
    data = dataset(tmp_path, SQUARE)
    pixels = data.samples[0].marks()[0].inside()
    assert pixels[2:8, 2:10].all()
    assert pixels.sum() == 48
    assert (data.labels, names(data)) == (("crack", "hole"), [("a.jpg", "train"), ("b.jpg", "val")])


def test_a_hole_that_one_outline_walks_into_is_kept(tmp_path: Path) -> None:
    around, bridge = "0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.1 0.1", "0.3 0.3 0.3 0.7 0.7 0.7 0.7 0.3 0.3 0.3"
    pixels = dataset(tmp_path, f"0 {around} {bridge}").samples[0].marks()[0].inside()
    assert pixels[1:9, 2:18].sum() == pixels.sum()
    assert not pixels[4:6, 7:13].any()
    assert pixels[1, 2:18].all()


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_label_file_is_a_clean_picture(tmp_path: Path, text: str) -> None:
    data = dataset(tmp_path, text)
    assert data.samples[0].marks() == []
    assert data.notes == ()


def test_a_missing_label_file_is_a_clean_picture_that_is_told_of(tmp_path: Path) -> None:
    add(tmp_path, "images/train/c.jpg", SQUARE)
    data = dataset(tmp_path, None)
    assert data.samples[0].marks() == []
    assert data.notes == ("1 pictures have no label file: they count as clean",)


def test_a_split_without_any_label_file_is_not_taken_for_clean(tmp_path: Path) -> None:
    assert whys(dataset(tmp_path, None)) == [
        "none of its train pictures has a label file: put them into `labels/`, beside `images/`"
    ]


def test_a_picture_with_boxes_only_is_not_taken_for_clean(tmp_path: Path) -> None:
    data = dataset(tmp_path, "0 0.5 0.5 0.2 0.2\n")
    assert names(data) == [("b.jpg", "val")]
    assert "has only 1 boxes" in whys(data)[0]


def test_boxes_beside_outlines_are_counted(tmp_path: Path) -> None:
    data = dataset(tmp_path, f"1 0.5 0.5 0.2 0.2\n{SQUARE}")
    assert len(data.samples[0].marks()) == 1
    assert data.notes == ("1 boxes were passed over: they are no masks",)


@pytest.mark.parametrize(
    "yaml",
    [
        "path: D:\\data\\parts\ntrain: images\\train\nval: images\\val\nnames: [crack]\n",
        "path: /home/me/parts\ntrain: /home/me/parts/images/train\nval: images/val/\nnames: {0: crack}\n",
        "path: ../datasets/parts\ntrain: ./images/train\nval: [images/val]\nnames: {0: crack}\n",
        "train: ../images/train  # 訓練\nvalid: ../images/val\nnc: 1\nnames: ['crack']\n",
    ],
)
def test_places_of_another_machine_are_found_by_their_tails(tmp_path: Path, yaml: str) -> None:
    add(tmp_path, "images/train/a.jpg", SQUARE)
    add(tmp_path, "images/val/b.jpg", SQUARE)
    data = described(tmp_path, yaml)
    assert (data.faults, names(data)) == ((), [("a.jpg", "train"), ("b.jpg", "val")])


def test_a_split_may_be_a_list_of_pictures(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        add(tmp_path, f"images/{name}.jpg", SQUARE)
    (tmp_path / "train.txt").write_text("./images/a.jpg\n\ndata/images/c.jpg\n", encoding="utf-8")
    (tmp_path / "val.txt").write_text("/home/me/images/b.jpg\nimages/gone.jpg\n", encoding="utf-8")
    data = described(tmp_path, "path: .\ntrain: train.txt\nval: val.txt\nnames: [crack]\n")
    assert names(data) == [("a.jpg", "train"), ("c.jpg", "train"), ("b.jpg", "val")]
    assert "gone.jpg' is missing" in whys(data)[0]


def test_the_yaml_may_be_named_itself(tmp_path: Path) -> None:
    add(tmp_path, "images/a.jpg", SQUARE)
    (tmp_path / "train.txt").write_text("images/a.jpg\n", encoding="utf-8")
    path = tmp_path / "parts.yaml"
    path.write_text("train: train.txt\nnames: [crack]\n", encoding="utf-8")
    assert names(open_dataset(path)) == [("a.jpg", "train")]


def test_a_picture_in_two_splits_is_a_fault(tmp_path: Path) -> None:
    add(tmp_path, "images/a.jpg", SQUARE)
    data = described(tmp_path, "train: images\nval: images\nnames: [crack]\n")
    assert names(data) == [("a.jpg", "train")]
    assert "is in train as well" in whys(data)[0]


def test_a_place_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    add(tmp_path, "images/train/a.jpg", SQUARE)
    assert "'images/val' is not below" in whys(described(tmp_path))[0]


def test_a_label_file_without_its_picture_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/gone.txt").write_text(SQUARE, encoding="utf-8")
    assert "labels a picture that is missing" in whys(dataset(tmp_path, SQUARE))[0]


def test_without_a_yaml_classes_are_numbers_and_folders_are_splits(tmp_path: Path) -> None:
    add(tmp_path, "images/valid/a.jpg", SQUARE + "\n" + SQUARE.replace("0 ", "10 ", 1))
    add(tmp_path, "images/train/a.jpg", "2" + SQUARE[1:])
    data = open_dataset(tmp_path)
    assert (data.format, data.labels) == ("yolo", ("0", "2", "10"))
    assert [(s.split, s.group) for s in data.samples] == [
        ("train", "images/train/a"),
        ("val", "images/valid/a"),
    ]


def test_a_list_of_classes_names_them(tmp_path: Path) -> None:
    add(tmp_path, "images/a.jpg", SQUARE)
    (tmp_path / "labels" / "classes.txt").write_text("crack\nhole\n", encoding="utf-8")
    data = open_dataset(tmp_path)
    assert (data.labels, data.faults) == (("crack", "hole"), ())


def test_what_was_made_of_one_picture_is_one_group(tmp_path: Path) -> None:
    add(tmp_path, "images/a_jpg.rf.1234.jpg", SQUARE)
    add(tmp_path, "images/a_jpg.rf.abcd.jpg", SQUARE)
    assert {sample.group for sample in open_dataset(tmp_path).samples} == {"a_jpg"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.1 0.1 0.2 0.2 0.3", "has 5 coordinates"),
        ("0 0.1 0.1", "has 2 coordinates"),
        ("0 1 1 9 1 9 9", "divide them by the picture's width"),
        ("0 -1e300 0 1 0 1 1", "outside 0 to 1"),
        ("0 nan 0 1 0 1 1", "outside 0 to 1"),
        ("7 0 0 1 0 1 1", "'7' is none of the 2 classes"),
        ("-1 0 0 1 0 1 1", "is none of the 2 classes"),
        ("inf 0 0 1 0 1 1", "is none of the 2 classes"),
        ("crack 0 0 1 0 1 1", "is no number"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    data = dataset(tmp_path, f"{SQUARE}\n{line}\n")
    assert names(data) == [("b.jpg", "val")]
    assert "line 2" in whys(data)[0]
    assert reason in whys(data)[0]


def test_a_label_file_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    assert "not UTF-8" in whys(dataset(tmp_path, b"\xff\x00\xfe\x80" * 40))[0]


def test_more_lines_than_anybody_draws_are_refused(tmp_path: Path) -> None:
    assert "at most" in whys(dataset(tmp_path, f"{SQUARE}\n" * (MAX_MARKS + 5)))[0]


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        ("train: [", "is no YAML"),
        ("train: images\nnames: 7\n", "names"),
        ("train: images\nnames: {a: b}\n", "names"),
        ("train: {a: b}\nnames: [crack]\n", "train"),
        ("[" * 1000, "is no YAML"),
        ("x: !!int ''\nnames: [a]\ntrain: x\n", "is no YAML"),
        ("x: !!timestamp x\nnames: [a]\ntrain: x\n", "is no YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b]\ntrain: x\n", "names.0: Input should be a valid string"),
        ("x: !!python/object:os.system {}\nnames: [a]\ntrain: x\n", "is no YAML"),
        ("#" * (1 << 21), "has more than"),
    ],
)
def test_a_damaged_yaml_is_refused(tmp_path: Path, yaml: str, reason: str) -> None:
    add(tmp_path, "images/a.jpg", SQUARE)
    with pytest.raises(DatasetError, match=reason):
        described(tmp_path, yaml)


def test_two_yaml_files_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(YAML, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"data\.yaml and other\.yaml both describe it"):
        dataset(tmp_path, SQUARE)


def test_a_yaml_of_something_else_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\nclasses: []\n", encoding="utf-8")
    assert len(dataset(tmp_path, SQUARE).samples) == 2


@pytest.fixture
def real() -> Path:
    folder = SHARED / "annotations" / "yolo-seg-kolektor"
    if not folder.is_dir():
        pytest.skip("needs the YOLO files in ../shared/data/annotations/yolo-seg-kolektor")
    return folder


def test_a_real_set_with_a_path_of_another_machine_is_read(real: Path) -> None:
    data = open_dataset(real)
    assert (data.format, data.labels, data.faults, data.notes) == ("yolo", ("defect",), (), ())
    assert [(name, split, len(s.marks())) for (name, split), s in zip(names(data), data.samples, strict=True)] == [
        ("000.jpg", "train", 0),
        ("083.jpg", "train", 1),
        ("274.jpg", "train", 1),
        ("325.jpg", "val", 1),
    ]
    assert 3000 < data.samples[1].marks()[0].inside().sum() < 5000
