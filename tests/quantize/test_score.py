"""Scores of class maps against the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quantize.figures import Objects
from quantize.score import focus_iou, objects, quality, score_picture, severity, severity_error

maps = arrays(np.uint8, (12, 16), elements=st.integers(0, 2))


@given(maps, maps)
def test_iou_is_symmetric_and_between_0_and_1(a: np.ndarray, b: np.ndarray) -> None:
    one, other = (focus_iou(score_picture(x, y, 3).counts, 2) for x, y in ((a, b), (b, a)))
    assert one == other or (math.isnan(one) and math.isnan(other))
    assert math.isnan(one) or 0 <= one <= 1


@given(maps)
def test_a_perfect_mask_has_no_error(a: np.ndarray) -> None:
    score = score_picture(a, a, 3)
    assert severity_error(score.counts, 2) == 0
    assert all(objects(blobs).missed == objects(blobs).false == 0 for blobs in score.blobs)


def test_objects_are_found_missed_and_false() -> None:
    truth, predicted = np.zeros((60, 100), np.uint8), np.zeros((60, 100), np.uint8)
    truth[5:15, 5:15] = 1  # found, though shifted
    predicted[8:18, 8:18] = 1
    truth[40:50, 5:15] = 1  # missed
    predicted[40:50, 60:70] = 1  # false
    truth[30:32, 80:83] = 1  # a speck does not count
    assert objects(score_picture(predicted, truth, 2).blobs[1]) == Objects(found=1, missed=1, false=1)


def test_the_least_size_of_an_object_can_be_chosen() -> None:
    truth = np.zeros((60, 100), np.uint8)
    truth[5:15, 5:15] = 1
    empty = np.zeros_like(truth)
    assert objects(score_picture(empty, truth, 2, 100).blobs[1]).missed == 1
    assert objects(score_picture(empty, truth, 2, 101).blobs[1]).missed == 0


def test_severity_is_the_focus_share_of_the_object() -> None:
    assert severity(np.array([800, 150, 50]), 2) == 0.25
    assert severity(np.array([1000, 0, 0]), 2) == 0.0


def test_severity_is_a_share_of_the_picture_where_there_is_no_object_class() -> None:
    assert severity(np.array([750, 250]), 1) == 0.25


def test_severity_error_is_in_points() -> None:
    truth, predicted = np.ones((10, 10), np.uint8), np.ones((10, 10), np.uint8)
    truth[:2], predicted[:3] = 2, 2
    assert severity_error(score_picture(predicted, truth, 3).counts, 2) == pytest.approx(10)


def test_a_class_that_is_nowhere_has_no_iou() -> None:
    empty = np.zeros((8, 8), np.uint8)
    result = quality([score_picture(empty, empty, 2)], ["a"], ["good", "spot"], 1)
    assert result.iou == {"good": 1.0, "spot": None}
    assert result.model_validate_json(result.model_dump_json()) == result
