"""Pictures for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.draw import overlay, thumbnail, write_mask
from edge.errors import PictureError
from edge.inspection import Inspection, Timings, Verdict
from edge.mask import Mask
from edge.regions import regions

if TYPE_CHECKING:
    from pathlib import Path


def seen() -> tuple[Mask, Inspection]:
    classes = np.zeros((20, 40), np.uint8)
    classes[8:12, 10:20] = 1
    mask = Mask(classes=classes, scores=np.full((20, 40), 240, np.uint8), frame_width=160, frame_height=80)
    inspection = Inspection(
        result_id="r",
        camera="c",
        verdict=Verdict.NotOK,
        reasons=(),
        regions=tuple(regions(mask, ("good", "spot"), ("spot",))),
        frame_id=1,
        frame_width=160,
        frame_height=80,
        captured_at=0.0,
        created_at=0.0,
        age_s=0.0,
        timings=Timings(),
    )
    return mask, inspection


def test_only_the_region_and_its_outline_are_painted_and_the_original_is_kept() -> None:
    picture = np.full((80, 160, 3), 100, np.uint8)
    drawn = overlay(picture, seen()[1])
    changed = (drawn != 100).any(axis=2)
    assert (picture == 100).all()
    assert changed[40, 60]
    assert not changed[:25].any()
    assert not changed[:, 90:].any()


def test_a_thumbnail_keeps_the_shape_of_the_picture_and_shows_the_regions() -> None:
    inspection = seen()[1]
    small = cv2.imdecode(np.frombuffer(thumbnail(np.full((800, 1600, 3), 100, np.uint8), inspection), np.uint8), 1)
    assert small is not None
    assert small.shape == (320, 640, 3)
    own = cv2.imdecode(np.frombuffer(thumbnail(np.full((80, 160, 3), 100, np.uint8), inspection), np.uint8), 1)
    assert own is not None
    assert own.shape == (80, 160, 3), "nothing is blown up"
    assert abs(own[40, 60].astype(int) - 100).max() > 20


def test_a_mask_is_written_at_picture_size(tmp_path: Path) -> None:
    mask, _ = seen()
    write_mask(tmp_path / "deep" / "m.png", mask)
    written = cv2.imread(str(tmp_path / "deep" / "m.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None
    assert np.array_equal(written, mask.on_frame())


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(PictureError, match="give a folder that can be written"):
        write_mask(tmp_path / "file" / "m.png", seen()[0])
