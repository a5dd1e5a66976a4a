"""Defects found, missed and false, by size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from models.annotation import IGNORE
from models.metrics.blobs import BINS, FALSE, FOUND, MISSED, blob_counts, found_share, least_object_px

MAPS = arrays(np.uint8, (14, 18), elements=st.sampled_from([0, 0, 0, 1, 2]))


def literal(mask: np.ndarray, by: np.ndarray, least_px: int) -> tuple[int, int]:
    """Blobs that are covered by a quarter, and that are not, one by one."""
    numbered, count = label(mask, np.ones((3, 3)))
    blobs = [numbered == n for n in range(1, count + 1)]
    covered = [(blob & by).sum() >= 0.25 * blob.sum() for blob in blobs if blob.sum() >= least_px]
    return sum(covered), len(covered) - sum(covered)


@given(MAPS, MAPS, st.integers(1, 9))
def test_blobs_are_counted_as_one_by_one(predicted: np.ndarray, truth: np.ndarray, least_px: int) -> None:
    counts = blob_counts(predicted, truth, 3, least_px).sum(axis=2)
    assert not counts[0].any()
    for class_id in (1, 2):
        found, missed = literal(truth == class_id, predicted == class_id, least_px)
        _, false = literal(predicted == class_id, truth == class_id, least_px)
        assert counts[class_id].tolist() == [found, missed, false]


def test_a_defect_of_33_pixels_in_a_small_picture_counts() -> None:
    truth = np.zeros((200, 250), np.uint8)
    truth[10:13, 10:21] = 1
    least_px = least_object_px(truth.size)
    assert blob_counts(np.zeros_like(truth), truth, 2, least_px)[1, MISSED].sum() == 1


@pytest.mark.parametrize(("pixels", "least"), [(2048 * 1024, 64), (200 * 250, 9), (640 * 480, 9), (12_000_000, 64)])
def test_the_least_object_grows_with_the_picture_up_to_64_pixels(pixels: int, least: int) -> None:
    assert least_object_px(pixels) == least


def test_defects_are_sorted_by_size() -> None:
    truth = np.zeros((300, 300), np.uint8)
    for place, side in enumerate((3, 7, 15, 31, 63)):
        truth[:side, 60 * place : 60 * place + side] = 1
    truth[100:300, :200] = 1
    found = np.where(np.arange(300) < 150, truth, 0)  # the right half is missed
    counts = blob_counts(found, truth, 2, 9)[1]
    assert counts[FOUND].tolist() == [1, 1, 1, 0, 0, 0, 1]
    assert counts[MISSED].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert not counts[FALSE].any()
    assert len(counts[FOUND]) == BINS


def test_what_is_seen_where_nobody_knows_is_not_false() -> None:
    truth, predicted = np.full((40, 40), IGNORE, np.uint8), np.ones((40, 40), np.uint8)
    truth[:20] = 0
    predicted[:20] = 0
    assert not blob_counts(predicted, truth, 2, 9).any()


def test_the_found_share_leaves_out_false_ones() -> None:
    counts = np.zeros((2, 3, BINS))
    counts[0, FOUND, 2], counts[0, MISSED, 1], counts[0, FALSE, 0] = 3, 1, 5
    share, nothing = found_share(counts).tolist()
    assert share == 0.75
    assert math.isnan(nothing)
