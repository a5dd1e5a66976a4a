"""Reliability and calibration error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from models.metrics.reliability import Reliability, expected_calibration_error


@given(st.integers(0, 1000), st.integers(2, 30))
def test_the_error_is_that_of_torchmetrics(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.random(200).astype(np.float32)
    correct = rng.random(200) < confidence**2
    expected = binary_calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct).int(), n_bins=bins)
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(float(expected), abs=1e-5)


def test_a_network_that_is_right_as_often_as_it_says_has_no_error() -> None:
    confidence = np.repeat([0.25, 0.75], 400)
    correct = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0)


def test_pooling_in_parts_gives_the_same_as_at_once() -> None:
    rng = np.random.default_rng(1)
    confidence, correct = rng.random((6, 50)), rng.random((6, 50)) < 0.7
    pooled = Reliability()
    for part in zip(confidence, correct, strict=True):
        pooled.add(*part)
    assert pooled.error() == pytest.approx(expected_calibration_error(confidence, correct))


def test_a_bin_without_predictions_is_no_number() -> None:
    pooled = Reliability(2)
    pooled.add(np.array([0.9, 1.0]), np.array([True, False]))
    assert math.isnan(pooled.accuracy[0])
    assert (pooled.accuracy[1], pooled.confidence[1]) == (0.5, 0.95)
    assert math.isnan(Reliability().error())
