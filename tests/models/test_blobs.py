"""Blobs: connected parts, corners touching, with their place on the picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as arrays

from edge.rle import decode
from models.annotation import Mark
from models.blobs import area, blobs, count_blobs, object_sizes

CORNERS = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]], bool)


def test_corners_that_touch_are_one_blob() -> None:
    assert [(blob.left, blob.top, int(blob.pixels.sum())) for blob in blobs(CORNERS)] == [(0, 0, 2), (3, 1, 2)]


@given(arrays.arrays(bool, (9, 11)))
def test_blobs_put_together_are_the_whole(inside: np.ndarray) -> None:
    parts = [decode(blob.on(9, 11)) for blob in blobs(inside)]
    assert (sum(parts, np.zeros((9, 11), np.uint8)) == inside).all()
    assert sum(object_sizes(Mark("a", inside, is_object=False))) == inside.sum() == area(Mark("a", inside).runs())


def test_a_drawn_object_is_one_whatever_its_parts_and_an_empty_one_is_none() -> None:
    assert object_sizes(Mark("a", CORNERS)) == [4]
    assert object_sizes(Mark("a", CORNERS, is_object=False)) == [2, 2]
    assert object_sizes(Mark("a", np.zeros((3, 4), bool))) == []


def test_blobs_of_classes_leave_out_the_first_and_the_ignored() -> None:
    assert count_blobs(np.array([[0, 1, 2, 1], [255, 255, 2, 1]], np.uint8)) == 3
