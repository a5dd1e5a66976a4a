"""AUPRO of score maps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from models.annotation import IGNORE
from models.metrics.aupro import aupro, overlap_counts

SCORES = arrays(np.uint8, (8, 10), elements=st.integers(0, 255))
TRUTHS = arrays(np.uint8, (8, 10), elements=st.sampled_from([0, 0, 1]))


def literal(pictures: list[tuple[np.ndarray, np.ndarray]], limit: float) -> float:
    """The definition, threshold by threshold and defect by defect; the area cut off at the limit by hand."""
    points = [(0.0, 0.0)]
    for threshold in range(255, -1, -1):
        shares, false, normal = [], 0, 0
        for scores, truth in pictures:
            numbered, count = label(truth == 1, np.ones((3, 3)))
            shares += [(scores[numbered == n] >= threshold).mean() for n in range(1, count + 1)]
            false += int((scores[truth == 0] >= threshold).sum())
            normal += int((truth == 0).sum())
        points.append((false / normal, float(np.mean(shares))))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit or x1 == x0:
            continue
        end = min(x1, limit)
        height = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + height) / 2
    return area / limit


@settings(max_examples=40)
@given(SCORES, TRUTHS, SCORES, TRUTHS)
def test_the_area_is_that_of_the_definition(s1: np.ndarray, t1: np.ndarray, s2: np.ndarray, t2: np.ndarray) -> None:
    t1[0, 0], t1[7, 9] = 0, 1
    pictures = [(s1, t1), (s2, t2)]
    counts = overlap_counts(s1, t1) + overlap_counts(s2, t2)
    assert float(aupro(counts)) == pytest.approx(literal(pictures, 0.3), abs=1e-9)


def test_a_perfect_map_has_all_of_the_area_and_a_blank_one_almost_none() -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:8, 5:8], truth[12:18, 12:18] = 1, 1
    perfect = overlap_counts((truth * 255).astype(np.uint8), truth)
    blank = overlap_counts(np.zeros_like(truth), truth)
    assert aupro(np.stack([perfect, blank])).tolist() == pytest.approx([1.0, 0.15])


def test_a_curve_that_rises_straight_up_at_the_limit_gains_nothing_by_it() -> None:
    counts = np.zeros((2, 256))
    counts[0, [220, 190]] = 0.25, 0.75  # a quarter of the defect is above every normal pixel,
    counts[1, [200, 0]] = 3, 7  # the rest below exactly three tenths of them
    assert aupro(counts) == pytest.approx(0.25)


def test_a_small_defect_weighs_as_much_as_a_large_one() -> None:
    truth = np.zeros((40, 40), np.uint8)
    truth[2:4, 2:4], truth[10:30, 10:30] = 1, 1
    scores = np.zeros_like(truth)
    scores[10:30, 10:30] = 255  # only the large one is seen
    assert 0.5 <= float(aupro(overlap_counts(scores, truth))) < 0.6


def test_ignored_pixels_are_neither_defect_nor_normal() -> None:
    truth, scores = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    truth[:5], truth[7, 7] = IGNORE, 1
    scores[:5], scores[7, 7] = 255, 200
    assert float(aupro(overlap_counts(scores, truth))) == pytest.approx(1)


def test_without_a_defect_there_is_no_number() -> None:
    nothing = np.zeros((6, 6), np.uint8)
    assert math.isnan(aupro(overlap_counts(nothing, nothing)))
    assert math.isnan(aupro(overlap_counts(nothing, nothing + 1)))
