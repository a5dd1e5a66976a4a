"""The bootstrap over groups."""

from __future__ import annotations

import numpy as np
import pytest

from models.metrics import ratio
from models.metrics.resamples import DRAWS, Resamples, interval, wilson


def of_ratio(above: np.ndarray, below: np.ndarray, groups: list[str]) -> tuple[float, float]:
    draws = Resamples(groups)
    found = interval(ratio(draws.sums(above), draws.sums(below)))
    assert found is not None
    return found


def test_the_interval_holds_the_pooled_value_and_is_reproducible() -> None:
    rng = np.random.default_rng(3)
    below = rng.uniform(50, 150, 40)
    above = below * rng.uniform(0.6, 0.9, 40)
    groups = [f"g{i // 2}" for i in range(40)]
    low, high = of_ratio(above, below, groups)
    assert low < above.sum() / below.sum() < high
    assert (low, high) == of_ratio(above, below, groups)


def test_pictures_of_one_object_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.uniform(0, 1, 10), 6)
    alone = of_ratio(values, np.ones(60), [str(i) for i in range(60)])
    grouped = of_ratio(values, np.ones(60), [str(i // 6) for i in range(60)])
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])


def test_19_of_20_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(50):
        values = rng.normal(5, 1, 40)
        low, high = of_ratio(values, np.ones(40), [str(i) for i in range(40)])
        held += low <= 5 <= high
    assert 43 <= held <= 50


def test_arrays_are_summed_as_numbers_are() -> None:
    rng = np.random.default_rng(1)
    values, groups = rng.random((9, 2, 3)), list("aabbccdde")
    sums = Resamples(groups).sums(values)
    assert sums.shape == (DRAWS, 2, 3)
    np.testing.assert_allclose(sums[:, 1, 2], Resamples(groups).sums(values[:, 1, 2]))


def test_every_draw_has_as_many_groups_as_there_are() -> None:
    assert (Resamples(list("abcde")).sums(np.ones(5)) == 5).all()


def test_groups_with_a_marked_picture_are_counted_once() -> None:
    assert Resamples(list("aabbc")).groups_with(np.array([True, True, False, False, True])) == 2


def test_draws_that_are_no_number_are_left_out() -> None:
    assert interval(np.array([0.5, np.nan, 0.5])) == (0.5, 0.5)
    assert interval(np.array([np.nan])) is None


@pytest.mark.parametrize(
    ("share", "trials", "low", "high"), [(0.0, 48, 0.0, 0.0741), (1.0, 10, 0.7225, 1.0), (0.5, 10, 0.2366, 0.7634)]
)
def test_wilsons_interval_is_that_of_the_books(share: float, trials: int, low: float, high: float) -> None:
    assert list(wilson(share, trials)) == pytest.approx([low, high], abs=1e-4)
