"""Boundary IoU."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion

from models.annotation import IGNORE
from models.metrics.boundary import boundary_counts, boundary_iou

MAPS = arrays(np.uint8, (17, 23), elements=st.integers(0, 2), fill=st.integers(0, 2))


def literal(predicted: np.ndarray, truth: np.ndarray, reach: int) -> float:
    """The definition, word by word: what so many erosions with a 3x3 square take away from each mask."""
    rims = [m & ~binary_erosion(m, np.ones((3, 3)), iterations=reach, border_value=0) for m in (predicted, truth)]
    union = (rims[0] | rims[1]).sum()
    return float((rims[0] & rims[1]).sum() / union) if union else math.nan


@given(MAPS, MAPS, st.integers(1, 3))
def test_it_is_the_iou_of_what_lies_near_the_outlines(predicted: np.ndarray, truth: np.ndarray, reach: int) -> None:
    share = reach / math.hypot(17, 23)
    ours = boundary_iou(boundary_counts(predicted, truth, 3, share))
    expected = [literal(predicted == c, truth == c, reach) for c in range(3)]
    np.testing.assert_allclose(ours, expected)


def test_a_large_object_is_judged_more_strictly_than_by_iou() -> None:
    truth, predicted = np.zeros((2, 200, 200), np.uint8)
    truth[20:180, 20:180], predicted[24:184, 20:180] = 1, 1
    iou = (156 * 160) / (164 * 160)
    assert boundary_iou(boundary_counts(predicted, truth, 2))[1] < iou - 0.3


def test_the_reach_is_2_percent_of_the_diagonal() -> None:
    truth = np.zeros((300, 400), np.uint8)
    truth[100:200, 100:200] = 1
    assert boundary_counts(truth, truth, 2)[1].tolist() == [100**2 - 80**2] * 2


def test_a_border_that_nobody_vouches_for_costs_nothing() -> None:
    truth, predicted = np.zeros((2, 60, 60), np.uint8)
    truth[18:42, 18:42] = IGNORE
    truth[20:40, 20:40] = 1
    predicted[19:41, 18:40] = 1
    assert boundary_iou(boundary_counts(predicted, truth, 2))[1] == pytest.approx(1)


def test_a_class_in_neither_is_no_number() -> None:
    empty = np.zeros((8, 8), np.uint8)
    assert np.isnan(boundary_iou(boundary_counts(empty, empty, 3))).tolist() == [False, True, True]
