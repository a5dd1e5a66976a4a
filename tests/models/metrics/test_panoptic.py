"""Panoptic quality."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.detection import panoptic_quality as reference

from models.annotation import IGNORE
from models.metrics.panoptic import Segments, panoptic_quality, segment_counts


def segments(seed: int, *, void: bool = False) -> Segments:
    """Overlapping rectangles: class 0 and 1 are stuff, 2 and 3 come as objects."""
    rng = np.random.default_rng(seed)
    classes, objects = np.zeros((24, 30), np.uint8), np.zeros((24, 30), np.uint16)
    for number in range(1, 9):
        y, x = rng.integers(0, 20), rng.integers(0, 26)
        part = np.s_[y : y + rng.integers(3, 14), x : x + rng.integers(3, 14)]
        classes[part] = rng.integers(1, 4)
        objects[part] = number if classes[part][0, 0] > 1 else 0
    if void:
        classes[:6, 10:20] = IGNORE
    return Segments(classes, objects)


def shifted(given: Segments, by: int) -> Segments:
    return Segments(np.roll(given.classes, by, axis=1), np.roll(given.objects, by, axis=1))


def stacked(given: Segments) -> torch.Tensor:
    return torch.from_numpy(np.stack([given.classes, given.objects], axis=-1).astype(np.int64))[None]


@given(st.integers(0, 10_000), st.integers(0, 4), st.booleans())
def test_it_is_that_of_torchmetrics(seed: int, shift: int, void: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    truth = segments(seed, void=void)
    predicted = shifted(segments(seed), shift)
    ours = panoptic_quality(segment_counts(predicted, truth, 4))
    expected = reference(
        stacked(predicted),
        stacked(truth),
        things={2, 3},
        stuffs={0, 1},
        allow_unknown_preds_category=True,
        return_sq_and_rq=True,
        return_per_class=True,
    )
    by_place = {2: 0, 3: 1, 0: 2, 1: 3}  # torchmetrics gives things first
    told = expected.numpy().reshape(4, 3)[[by_place[c] for c in range(4)]]
    np.testing.assert_allclose(np.nan_to_num(np.stack(ours, axis=1)), np.nan_to_num(told), atol=1e-6)


def test_two_objects_of_which_one_is_found_by_half_too_much() -> None:
    truth, seen = (Segments(np.zeros((10, 40), np.uint8), np.zeros((10, 40), np.uint16)) for _ in range(2))
    for place, number in ((np.s_[:, 0:10], 1), (np.s_[:, 20:30], 2)):
        truth.classes[place], truth.objects[place] = 1, number
    seen.classes[:, 0:15], seen.objects[:, 0:15] = 1, 7
    quality = panoptic_quality(segment_counts(seen, truth, 2))
    assert quality.sq[1] == pytest.approx(2 / 3)  # 100 of 150 pixels
    assert quality.rq[1] == pytest.approx(2 / 3)  # one match, one miss
    assert quality.pq[1] == pytest.approx(4 / 9)


def test_a_segment_on_ignored_pixels_is_no_mistake() -> None:
    truth, seen = (Segments(np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint16)) for _ in range(2))
    truth.classes[:, 5:] = IGNORE
    seen.classes[:, 6:], seen.objects[:, 6:] = 1, 1
    quality = panoptic_quality(segment_counts(seen, truth, 2))
    assert quality.pq[0] == 1
    assert math.isnan(quality.pq[1])
