"""Escapes and false rejects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from models.metrics.escape import NOTHING, Parts, join, outcomes, rates


@given(st.integers(0, 10_000))
def test_the_rates_are_those_of_a_roc_curve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = Parts(rng.random(30).round(2), rng.random(30) < 0.4)
    if not 0 < parts.defective.sum() < 30:
        return
    false_positive, true_positive, thresholds = roc_curve(parts.defective, parts.scores, drop_intermediate=False)
    for threshold, false, true in zip(thresholds[1:], false_positive[1:], true_positive[1:], strict=True):
        assert rates(outcomes(parts, threshold).sum(axis=0)) == pytest.approx((1 - true, false))


def test_a_part_on_which_nothing_is_seen_always_passes() -> None:
    parts = Parts(np.array([NOTHING, 0.0]), np.array([True, True]))
    assert rates(outcomes(parts, 0.0).sum(axis=0))[0] == 0.5


def test_one_picture_is_enough_to_reject_a_part() -> None:
    pictures = Parts(np.array([0.2, 0.9, 0.4]), np.array([True, False, False]))
    parts = join(pictures, ["a", "a", "b"])
    assert parts.scores.tolist() == [0.9, 0.4]
    assert parts.defective.tolist() == [True, False]


def test_without_good_parts_there_is_no_false_reject_rate() -> None:
    escape, false_reject = rates(outcomes(Parts(np.array([0.7]), np.array([True])), 0.5).sum(axis=0))
    assert escape == 0
    assert math.isnan(false_reject)
