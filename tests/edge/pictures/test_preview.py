"""What is left for viewers, and what it costs while there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.mask import Mask
from edge.pictures.preview import LONGER_SIDE_PX, TAKEN_CAPACITY, Preview, reduced_size, taken_slot, view_slot
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPACITY = 4 << 20
PICTURE = np.full((1080, 1920, 3), 90, np.uint8)
MASK = Mask(
    classes=np.eye(64, dtype=np.uint8), scores=np.full((64, 64), 255, np.uint8), frame_width=1920, frame_height=1080
)


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Slot]:
    with (
        Slot.create(taken_slot(tmp_path, "belt"), TAKEN_CAPACITY),
        Slot.create(view_slot(tmp_path, "belt"), CAPACITY) as slot,
    ):
        yield slot


@pytest.fixture
def preview(view: Slot, tmp_path: Path) -> Preview:
    return Preview(tmp_path, "belt", {"labels": ["good", "spot"]})


def take(folder: Path, sequence: int) -> None:
    """Do as a viewer does."""
    with Slot(taken_slot(folder, "belt")) as taken:
        taken.mark_consumed(sequence)


def offer(preview: Preview, number: int, *, intact: bool = True) -> None:
    preview.offer({"number": number}, PICTURE, MASK, lambda: intact)


def shown(view: Slot) -> int:
    snapshot = view.newest()
    assert snapshot is not None
    number: int = snapshot.meta["result"]["number"]
    return number


def test_a_view_holds_the_reduced_picture_the_mask_and_what_was_seen(preview: Preview, view: Slot) -> None:
    offer(preview, 7)
    snapshot = view.newest()
    assert snapshot is not None
    assert snapshot.arrays["picture"].shape == (360, 640, 3)
    assert abs(int(snapshot.arrays["picture"].mean()) - 90) <= 1
    np.testing.assert_array_equal(snapshot.arrays["classes"], MASK.classes)
    assert snapshot.meta == {"result": {"number": 7}, "labels": ["good", "spot"]}


def test_nothing_is_written_while_nobody_looks(preview: Preview, view: Slot) -> None:
    for number in range(50):
        offer(preview, number)
        preview.tend()
    assert (view.latest, shown(view)) == (1, 0)


def test_whoever_looks_first_gets_the_newest(preview: Preview, view: Slot, tmp_path: Path) -> None:
    for number in range(5):
        offer(preview, number)
    take(tmp_path, 1)
    preview.tend()
    assert (view.latest, shown(view)) == (2, 4)
    preview.tend()
    assert view.latest == 2


def test_no_more_is_written_than_viewers_take(preview: Preview, view: Slot, tmp_path: Path) -> None:
    for number in range(40):
        if number % 4 == 0:
            take(tmp_path, view.latest)
        offer(preview, number)
    assert view.latest == 10


def test_a_picture_that_was_overtaken_is_not_shown(preview: Preview, view: Slot, tmp_path: Path) -> None:
    offer(preview, 1)
    take(tmp_path, 1)
    offer(preview, 2, intact=False)
    preview.tend()
    assert (view.latest, shown(view)) == (1, 1)
    offer(preview, 3)
    assert shown(view) == 3


def test_a_frame_that_could_not_be_judged_is_shown_without_a_mask(preview: Preview, view: Slot) -> None:
    preview.offer({"number": 1}, PICTURE, None, lambda: True)
    snapshot = view.newest()
    assert snapshot is not None
    assert not snapshot.arrays["classes"].any()


def test_a_preview_keeps_the_shape_and_is_never_larger_than_its_frame() -> None:
    assert reduced_size(1920, 1080) == (640, 360)
    assert reduced_size(1080, 1920) == (360, 640)
    assert reduced_size(4096, 100) == (LONGER_SIDE_PX, 16)
    assert reduced_size(320, 240) == (320, 240)
