"""Scores of masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from models.metrics import Confusion, binary_iou

MASKS = arrays(np.bool_, (5, 7))


@given(MASKS, MASKS)
def test_iou_is_symmetric_and_between_0_and_1(a: np.ndarray, b: np.ndarray) -> None:
    assert binary_iou(a, b) == binary_iou(b, a)
    assert 0 <= binary_iou(a, b) <= 1
    assert binary_iou(a, a) == 1


@given(MASKS, MASKS)
def test_the_confusion_of_two_classes_agrees_with_binary_iou(a: np.ndarray, b: np.ndarray) -> None:
    confusion = Confusion(2)
    confusion.add(a.astype(np.uint8), b.astype(np.uint8))
    if (a | b).any():
        assert confusion.iou()[1] == pytest.approx(binary_iou(a, b))


def test_pictures_are_pooled_and_a_class_in_neither_is_no_number() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    confusion.add(np.array([[1, 1]], np.uint8), np.array([[1, 1]], np.uint8))
    background, spot, never = confusion.iou()
    assert background == 0.5
    assert spot == pytest.approx(2 / 3)
    assert math.isnan(never)
