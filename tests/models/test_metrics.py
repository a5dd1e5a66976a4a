"""Scores of masks, by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torchmetrics.functional.classification import multiclass_jaccard_index
from torchmetrics.functional.segmentation import dice_score

from models import metrics
from models.annotation import IGNORE
from models.metrics import Confusion, binary_iou, cut_out

MASKS = arrays(np.bool_, (5, 7))
MAPS = arrays(np.uint8, (9, 11), elements=st.integers(0, 2))
TRUTHS = arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 1, 2, IGNORE]))


def counted(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    confusion = Confusion(3)
    confusion.add(predicted, truth)
    return confusion.counts


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


@given(MAPS, TRUTHS)
def test_pixels_are_counted_as_scikit_learn_counts_the_known_ones(predicted: np.ndarray, truth: np.ndarray) -> None:
    known = truth != IGNORE
    if known.any():
        expected = confusion_matrix(truth[known], predicted[known], labels=[0, 1, 2])
        assert (counted(predicted, truth) == expected).all()
    else:
        assert not counted(predicted, truth).any()


@given(MAPS, MAPS)
def test_precision_recall_and_f1_are_those_of_scikit_learn(predicted: np.ndarray, truth: np.ndarray) -> None:
    counts = counted(predicted, truth)
    expected = precision_recall_fscore_support(
        truth.ravel(), predicted.ravel(), labels=[0, 1, 2], zero_division=np.nan
    )[:3]
    ours = [metrics.precision(counts), metrics.recall(counts), metrics.f1(counts)]
    np.testing.assert_allclose(ours, expected)


@given(MAPS, MAPS)
def test_iou_and_dice_are_those_of_torchmetrics(predicted: np.ndarray, truth: np.ndarray) -> None:
    counts = counted(predicted, truth)
    a, b = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    expected = multiclass_jaccard_index(a, b, 3, average=None).numpy()
    np.testing.assert_allclose(np.nan_to_num(metrics.iou(counts)), expected, rtol=1e-5)
    dice = dice_score(a[None], b[None], 3, average="none", input_format="index").numpy()[0]
    np.testing.assert_allclose(np.nan_to_num(metrics.f1(counts)), np.nan_to_num(dice), rtol=1e-5)


def test_the_mean_leaves_out_classes_that_are_nowhere() -> None:
    counts = np.array([[[3, 1, 0], [0, 4, 0], [0, 0, 0]], [[8, 0, 0], [0, 0, 0], [0, 0, 0]]])
    assert metrics.mean_of_classes(metrics.iou(counts)).tolist() == [(3 / 4 + 4 / 5) / 2, 1.0]
    assert metrics.pixel_accuracy(counts).tolist() == [7 / 8, 1.0]
    assert math.isnan(metrics.mean_of_classes(np.array([np.nan, np.nan])))


@given(MAPS, TRUTHS)
def test_what_is_cut_out_holds_all_of_the_class(predicted: np.ndarray, truth: np.ndarray) -> None:
    seen, true = cut_out(predicted, truth, 1)
    assert seen.sum() == ((predicted == 1) & (truth != IGNORE)).sum()
    assert true.sum() == (truth == 1).sum()
    assert (seen & true).sum() == ((predicted == 1) & (truth == 1)).sum()
