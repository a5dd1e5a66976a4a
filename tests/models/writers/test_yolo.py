"""YOLO segmentation as written: pixels come back through polygons, splits through folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edge.rle import Rle, encode
from models.datasets import open_dataset
from models.writers import Labelled, Thing, yolo

if TYPE_CHECKING:
    from pathlib import Path

    from models.sample import Split


def full(pixels: np.ndarray) -> Rle:
    return encode(pixels.astype(np.uint8), 0, 0, pixels.shape[1], pixels.shape[0])


def write(root: Path, things: list[Thing], split: Split | None = "train") -> list[str]:
    height, width = things[0].runs.size if things else (9, 9)
    one = Labelled("a.png", split, height, width, things)
    place = root / yolo.place(one)
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height)).save(place)
    return yolo.write([one], ["hole", "crack: long"], root)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hole", "crack: long"]),
            arrays.arrays(bool, (37, 41), elements=st.booleans(), fill=st.just(False)),
        )
    )
)
def test_objects_with_holes_and_parts_come_back_pixel_for_pixel(
    tmp_path: Path, drawn: list[tuple[str, np.ndarray]]
) -> None:
    things = [Thing(label, full(pixels)) for label, pixels in drawn if pixels.any()]
    write(tmp_path, things)
    (sample,) = open_dataset(tmp_path).samples
    assert [(mark.label, mark.runs(), False) for mark in sample.marks()] == [tuple(thing) for thing in things]


def test_large_pictures_lose_no_pixel_to_rounding(tmp_path: Path) -> None:
    pixels = np.zeros((3001, 4099), bool)
    pixels[1::7, 4000:4003] = pixels[2990, 17:4098:3] = True
    write(tmp_path, [Thing("hole", full(pixels))])
    (sample,) = open_dataset(tmp_path).samples
    (mark,) = sample.marks()
    assert mark.runs() == full(pixels)


def test_what_the_format_lacks_is_told(tmp_path: Path) -> None:
    ring = np.ones((9, 9), bool)
    ring[4, 4] = False
    notes = write(tmp_path, [Thing("hole", full(ring)), Thing("hole", full(ring), ignored=True)])
    assert notes == [
        "1 objects have holes or detached parts: their outlines reach these over lines without width",
        "1 ignored objects are lost: this format has none",
        "no picture is in val, which Ultralytics asks for: split the data set first",
    ]


def test_splits_are_folders_and_a_clean_picture_has_an_empty_file(tmp_path: Path) -> None:
    assert write(tmp_path, [], "val") == []
    assert (tmp_path / "labels" / "val" / "a.txt").read_bytes() == b""
    assert (tmp_path / "images" / "val" / "a.png").is_file()
    assert open_dataset(tmp_path).samples[0].split == "val"
