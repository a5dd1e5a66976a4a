"""COCO JSON as written: read back by our reader and by pycocotools, pixel for pixel."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools.coco import COCO

from edge.rle import decode, encode
from models.datasets import open_dataset
from models.writers import Labelled, Thing, coco

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (9, 13)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["hole", "AC Climate", "Riß"]), arrays.arrays(bool, SHAPE), st.booleans())))
def test_objects_come_back_pixel_for_pixel(tmp_path: Path, drawn: list[tuple[str, np.ndarray, bool]]) -> None:
    height, width = SHAPE
    things = [Thing(label, encode(p.view(np.uint8), 0, 0, width, height), crowd) for label, p, crowd in drawn]
    one = Labelled("a.png", None, height, width, things)
    place = tmp_path / coco.place(one)
    place.parent.mkdir(exist_ok=True)
    Image.new("L", (width, height)).save(place)
    assert coco.write([one], ["hole", "AC Climate", "Riß"], tmp_path) == []
    (sample,) = open_dataset(tmp_path).sound().samples
    marks = [(mark.label, mark.runs(), mark.ignored) for mark in sample.marks()]
    assert marks == [tuple(thing) for thing in things]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself
def test_the_tools_of_coco_read_areas_boxes_and_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30), np.uint8)
    pixels[3:9, 4:15] = 1
    pixels[5, 6] = 0
    runs = encode(pixels, 0, 0, 30, 20)
    coco.write([Labelled("a.png", None, 20, 30, [Thing("hole", runs)])], ["hole"], tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        read = COCO(tmp_path / "annotations.json")
    (annotation,) = read.loadAnns(read.getAnnIds())
    assert (annotation["area"], annotation["bbox"], annotation["iscrowd"]) == (65, [4, 3, 11, 6], 0)
    assert (read.annToMask(annotation) == decode(runs)).all()
