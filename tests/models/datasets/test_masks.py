"""PNG masks: what a loader can't be sure of, it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.datasets import open_dataset, read_split
from models.datasets.masks import read_codes
from models.recipe import ClassSpec
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.datasets import Dataset

COLOURED = (ClassSpec(name="background", colour=(0, 0, 0)), ClassSpec(name="leaf", colour=(0, 176, 0)))
GREEN, WHITE, BLACK = (0, 176, 0), (255, 255, 255), (0, 0, 0)

Pixels: TypeAlias = "Sequence[Sequence[int | tuple[int, ...]]]"


def save(path: Path, pixels: Pixels, mode: str | None = None) -> Path:
    """Write a picture of 8 bits, or of `mode`; `P` gets a palette that has nothing to do with the indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        Image.fromarray(np.asarray(pixels, np.uint16)).save(path)
        return path
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    if mode == "P":
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette([(7 * value) % 256 for value in range(768)])
    elif mode:
        image = image.convert(mode)
    image.save(path)
    return path


def folder(root: Path, *masks: Pixels, mode: str | None = None) -> Dataset:
    """Write pictures `images/0.jpg`, … with these masks."""
    for number, pixels in enumerate(masks):
        width, height = len(pixels[0]), len(pixels)
        (root / "images").mkdir(exist_ok=True)
        Image.new("RGB", (width, height)).save(root / "images" / f"{number}.jpg")
        save(root / "masks" / f"{number}.png", pixels, mode)
    return open_dataset(root)


def read(data: Dataset, place: int = 0) -> list[tuple[str, list[list[int]]]]:
    return [(mark.label, mark.inside().astype(int).tolist()) for mark in data.samples[place].marks()]


def test_colours_are_labels(tmp_path: Path) -> None:
    data = folder(tmp_path, [[GREEN, BLACK]])
    assert read(data) == [("#000000", [[0, 1]]), ("#00b000", [[1, 0]])]
    assert data.samples[0].class_map(COLOURED).tolist() == [[1, 0]]


def test_a_colour_that_no_class_claims_is_named(tmp_path: Path) -> None:
    data = folder(tmp_path, [[(255, 2, 1), BLACK]])
    with pytest.raises(DatasetError, match="no class of the recipe claims the label '#ff0201'"):
        data.samples[0].class_map(COLOURED)


def test_black_and_white_among_colours_are_colours(tmp_path: Path) -> None:
    data = folder(tmp_path, [[WHITE, BLACK]], [[GREEN, BLACK]])
    assert read(data) == [("#000000", [[0, 1]]), ("#ffffff", [[1, 0]])]


def test_values_are_labels(tmp_path: Path) -> None:
    data = folder(tmp_path, [[0, 1, 9]])
    assert [label for label, _ in read(data)] == ["0", "1", "9"]
    assert data.notes == ("grey masks are read as class indices: 0, 1, 9",)


def test_values_become_classes_by_place_or_index(tmp_path: Path) -> None:
    classes = (ClassSpec(name="good"), ClassSpec(name="crack"), ClassSpec(name="hole", index=9))
    assert folder(tmp_path, [[0, 1, 9]]).samples[0].class_map(classes).tolist() == [[0, 1, 2]]


def test_a_palette_is_read_by_index_and_its_border_is_ignored(tmp_path: Path) -> None:
    data = folder(tmp_path, [[0, 3, 255]], mode="P")
    assert [(mark.label, mark.ignored) for mark in data.samples[0].marks()] == [
        ("0", False),
        ("3", False),
        ("255", True),
    ]
    assert data.notes == ("palette masks are read as class indices: 0, 3, 255 ignored",)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "RGBA", "1", "LA"])
def test_black_and_white_is_one_mark_however_it_is_saved(tmp_path: Path, mode: str) -> None:
    data = folder(tmp_path, [[0, 0, 255]], [[0, 0, 0]], mode=mode)
    assert read(data) == [("255", [[0, 0, 1]])]
    assert read(data, 1) == []
    assert "black and white" in data.notes[0]


def test_the_white_of_16_bits_is_white(tmp_path: Path) -> None:
    assert read(folder(tmp_path, [[0, 65535]], mode="I;16")) == [("255", [[0, 1]])]


def test_indices_of_16_bits_are_indices(tmp_path: Path) -> None:
    assert [label for label, _ in read(folder(tmp_path, [[0, 1, 300]], mode="I;16"))] == ["0", "1", "300"]


def test_the_brightest_of_evenly_spread_levels_is_a_class(tmp_path: Path) -> None:
    data = folder(tmp_path, [[0, 128, 255]])
    assert [(mark.label, mark.ignored) for mark in data.samples[0].marks()] == [
        ("0", False),
        ("128", False),
        ("255", False),
    ]
    assert data.notes == ("grey masks are read as class indices: 0, 128, 255",)


def test_the_border_beside_indices_is_ignored(tmp_path: Path) -> None:
    (sample,) = folder(tmp_path, [[0, 15, 255]]).samples
    assert [mark.ignored for mark in sample.marks()] == [False, False, True]


SOFT = [list(range(256))]
FAINT = [[0, 1, 2, 3] * 64]


def test_soft_black_and_white_is_cut_at_127(tmp_path: Path) -> None:
    assert read(folder(tmp_path, SOFT)) == [("255", [[0] * 128 + [1] * 128])]


def test_noise_in_clean_masks_is_no_class_where_others_are_black_and_white(tmp_path: Path) -> None:
    data = folder(tmp_path, SOFT, FAINT)
    assert read(data, 1) == []


def test_many_classes_are_not_taken_for_soft_edges(tmp_path: Path) -> None:
    data = folder(tmp_path, [list(range(151))])
    assert len(read(data)) == 151
    assert "class indices" in data.notes[0]


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    data = folder(tmp_path, [[(*GREEN, 255), (255, 0, 0, 0)]])
    assert [label for label, _ in read(data)] == ["#000000", "#00b000"]


def test_colours_among_grey_masks_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "m.png", [[GREEN]])
    data = folder(tmp_path, [[0, 255]])
    save(tmp_path / "masks" / "0.png", [[GREEN, BLACK]])
    with pytest.raises(DatasetError, match="has colours, other masks here are grey"):
        data.samples[0].marks()


def test_colours_that_jpeg_has_smeared_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noisy = rng.integers(0, 256, (64, 64, 3)).tolist()
    with pytest.raises(DatasetError, match="more than 256 values: save masks as PNG"):
        folder(tmp_path, noisy).samples[0].marks()


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    data = folder(tmp_path, [[0, 255]])
    save(tmp_path / "masks" / "0.png", [[0, 255, 0]])
    with pytest.raises(DatasetError, match=r"is 3x1, its picture 2x1"):
        data.samples[0].marks()


@pytest.mark.parametrize("data", [b"no", b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_mask_that_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.png").write_bytes(data)
    with pytest.raises(DatasetError, match="not a mask that can be read"):
        read_codes(tmp_path / "m.png")


def test_a_mask_of_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    Image.new("CMYK", (2, 2)).save(tmp_path / "m.jpg")
    with pytest.raises(DatasetError, match="is of the kind CMYK"):
        read_codes(tmp_path / "m.jpg")


def test_negative_values_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), -1, np.int32)).save(tmp_path / "m.tif")
    with pytest.raises(DatasetError, match="negative values"):
        read_codes(tmp_path / "m.tif")


def test_a_size_that_would_fill_memory_is_refused_unread(tmp_path: Path) -> None:
    Image.new("1", (10_000, 9000)).save(tmp_path / "m.png")
    with pytest.raises(DatasetError, match="10000x9000 pixels: at most"):
        read_codes(tmp_path / "m.png")


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/train/a.jpg", "masks/train/a_mask.png"),
        ("train/images/a.jpg", "train/masks/a.png"),
        ("imgs/a.png", "masks/a.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("a.jpg", "a.png"),
        ("a.png", "a_mask.png"),
        ("a.jpg", "masks/a.png"),
    ],
)
def test_pairs_are_found_where_people_put_them(tmp_path: Path, picture: str, mask: str) -> None:
    (tmp_path / picture).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 1)).save(tmp_path / picture)
    save(tmp_path / mask, [[0, 255]])
    data = open_dataset(tmp_path)
    assert [s.picture for s in data.samples] == [tmp_path / picture]
    assert data.samples[0].split == ("train" if "train" in picture else None)
    assert read(data) == [("255", [[0, 1]])]


def test_a_picture_without_a_mask_and_a_mask_without_a_picture_are_faults(tmp_path: Path) -> None:
    save(tmp_path / "masks" / "without.png", [[0]])
    save(tmp_path / "images" / "alone.png", [[0]])
    data = folder(tmp_path, [[0, 255]])
    assert {fault.where.rpartition("/")[2]: fault.why[:12] for fault in data.faults} == {
        "alone.png": "has no mask:",
        "without.png": "is a mask wi",
    }


def test_pictures_of_pascal_voc_may_be_without_a_mask_and_its_lists_are_splits(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "JPEGImages" / f"{name}.jpg", [[0, 0]])
    for name in ("a", "b"):
        save(tmp_path / "SegmentationClass" / f"{name}.png", [[0, 5]], "P")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n", encoding="utf-8")
    (lists / "val.txt").write_text("b\n", encoding="utf-8")
    data = open_dataset(tmp_path)
    assert ([(s.picture.stem, s.split) for s in data.samples], data.faults) == ([("a", "train"), ("b", "val")], ())


def test_a_label_map_names_colours_and_values(tmp_path: Path) -> None:
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nAC leaf:0,176,0::\n"
    (tmp_path / "labelmap.txt").write_text(text, encoding="utf-8")
    data = folder(tmp_path, [[GREEN, BLACK]])
    assert data.labels == ("background", "AC leaf")
    assert [label for label, _ in read(data)] == ["background", "AC leaf"]


@pytest.mark.parametrize("line", ["leaf", "leaf:1,2", "leaf:1,2,256", "leaf:a,b,c", "leaf:-1,2,3"])
def test_a_damaged_label_map_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "labelmap.txt").write_text(line, encoding="utf-8")
    with pytest.raises(DatasetError, match="must be NAME:R,G,B"):
        folder(tmp_path, [[0, 255]])


def test_a_list_of_classes_names_values(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("good\ncrack\n", encoding="utf-8")
    assert [label for label, _ in read(folder(tmp_path, [[0, 1]]))] == ["good", "crack"]


def lists(root: Path, *masks: Pixels, head: str = "image,mask,cls,group", mode: str | None = None) -> Path:
    """Write `a`, `b` and `c`, one in each split, as kinds of defects."""
    for name, split, pixels in zip(("a", "b", "c"), ("train", "val", "test"), masks, strict=True):
        (root / "images").mkdir(exist_ok=True)
        Image.new("RGB", (len(pixels[0]), len(pixels))).save(root / "images" / f"{name}.jpg")
        save(root / "masks" / f"{name}.png", pixels, mode)
        row = f"images/{name}.jpg,masks/{name}.png,kind-{name},group-{name}"
        (root / f"{split}.csv").write_text(f"{head}\r\n{row}\r\n", encoding="utf-8")
    return root


def test_lists_say_splits_groups_and_what_white_marks(tmp_path: Path) -> None:
    data = open_dataset(lists(tmp_path, [[0, 255]], [[0, 0]], [[255, 255]]))
    assert data.labels == ("kind-a", "kind-b", "kind-c")
    assert [(s.split, s.group, [m.label for m in s.marks()]) for s in data.samples] == [
        ("train", "group-a", ["kind-a"]),
        ("val", "group-b", []),
        ("test", "group-c", ["kind-c"]),
    ]


def test_a_list_whose_last_column_is_the_mask_is_one(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        Image.new("RGB", (2, 1)).save(tmp_path / f"{split}.jpg")
        save(tmp_path / "there" / f"{split}.png", [[0, 255]])
        (tmp_path / f"{split}.csv").write_bytes(f"image,mask\r\n{split}.jpg,there/{split}.png\r\n".encode())
    assert len(open_dataset(tmp_path).samples) == 3


def test_what_white_marks_names_the_ones_of_a_mask_of_zeros_and_ones(tmp_path: Path) -> None:
    data = open_dataset(lists(tmp_path, [[0, 1]], [[0, 0]], [[1, 1]]))
    assert [mark.label for mark in data.samples[0].marks()] == ["0", "kind-a"]


def test_what_a_picture_shows_names_no_class_index(tmp_path: Path) -> None:
    data = open_dataset(lists(tmp_path, [[0, 1]], [[0, 2]], [[1, 1]]))
    assert data.labels == ()
    assert [mark.label for mark in data.samples[0].marks()] == ["0", "1"]


def test_a_mask_that_is_missing_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    root = lists(tmp_path, [[0, 255]], [[0, 255]], [[0, 255]])
    (root / "masks" / "b.png").unlink()
    with (root / "test.csv").open("a", encoding="utf-8") as file:
        file.write(f"images/c.jpg,masks/{'x' * 500}.png,kind-c,group-c\n")
    data = open_dataset(root)
    assert [sample.picture.stem for sample in data.samples] == ["a", "c"]
    assert len(data.faults) == 2
    assert "b.png is missing" in data.faults[0].why
    with pytest.raises(DatasetError, match=r"its mask .*b\.png is missing"):
        read_split(root, "train")


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    root = lists(tmp_path, [[0, 255]], [[0, 255]], [[0, 255]])
    (root / "val.csv").write_text("image,mask,group\nimages/b.jpg,masks/b.png,group-a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"shares 1 groups with val \(such as group-a\): split by group"):
        read_split(root, "train")


def test_the_full_coffee_set_is_read_with_every_colour_claimed(coffee: Path) -> None:
    classes = (*COLOURED, ClassSpec(name="lesion", colour=(255, 0, 0)))
    samples = read_split(coffee, "test")
    assert len(samples) == 60
    assert set(np.unique(samples[2].class_map(classes))) == {0, 1, 2}


def shared(name: str) -> Path:
    found = SHARED / name
    if not found.is_dir():
        pytest.skip(f"needs the masks in ../shared/data/{name}")
    return found


def test_real_tiles_are_black_and_white_and_named_by_their_list() -> None:
    data = open_dataset(shared("tiles"))
    assert (len(data.samples), data.faults) == (1095, ())
    assert data.notes == ("grey masks are read as black and white: marked above 127",)
    free = [s for s in data.samples if s.picture.parts[-3] == "MT_Free"][:20]
    assert all(sample.marks() == [] for sample in free)
    blowhole = next(s for s in data.samples if s.picture.name == "exp1_num_262480.jpg")
    assert [(m.label, int(m.inside().sum())) for m in blowhole.marks()] == [("blowhole", 33)]


def test_real_palettes_are_indices() -> None:
    data = open_dataset(shared("crops/rice-field"))
    assert (len(data.samples), data.faults) == (208, ())
    assert [(m.label, int(m.inside().sum())) for m in data.samples[0].marks()][1] == ("1", 2990)
