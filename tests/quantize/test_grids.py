"""Grids of activations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.grids import Grid, best_grid, grid_over
from quantize.observe import Histogram

ENDS = st.floats(-50, 50, allow_nan=False)


def seen(values: np.ndarray) -> Histogram:
    histogram = Histogram(float(values.min()), float(values.max()))
    histogram.add(values.astype(np.float32))
    return histogram


def squared_error(grid: Grid, values: np.ndarray) -> float:
    return float(np.square(grid.rounded(values) - values).mean())


@given(one=ENDS, other=ENDS, symmetric=st.booleans())
def test_a_grid_covers_its_range_to_half_a_step_and_holds_zero(one: float, other: float, *, symmetric: bool) -> None:
    low, high = sorted((one, other))
    grid = grid_over(low, high, symmetric=symmetric)
    values = np.linspace(low, high, 101)
    assert np.abs(grid.rounded(values) - values).max() <= grid.scale * (0.5 if symmetric else 1) + 1e-9
    assert grid.rounded(np.zeros(1))[0] == 0
    assert not symmetric or grid.zero_point == 0
    assert 0 <= grid.zero_point <= 255


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_best_grid_gives_up_an_outlier_for_finer_steps(*, symmetric: bool) -> None:
    values = np.append(np.random.default_rng(0).normal(0, 1, 20_000), 12.0)
    best = best_grid(seen(values), symmetric=symmetric)
    whole = grid_over(values.min(), values.max(), symmetric=symmetric)
    assert squared_error(best, values) < squared_error(whole, values)
    assert best.scale < whole.scale


@pytest.mark.parametrize("symmetric", [False, True])
def test_pixels_are_held_without_any_error(*, symmetric: bool) -> None:
    pixels = np.random.default_rng(0).integers(5, 240, 5000)
    values = (pixels - 116) / 57.5
    best = best_grid(seen(values), symmetric=symmetric, step=1 / 57.5)
    assert squared_error(best, values) < 1e-9
    assert squared_error(best_grid(seen(values), symmetric=symmetric), values) > 1e-6


def test_what_is_always_the_same_has_a_grid() -> None:
    for value in (0.0, 3.0, -2.0):
        values = np.full(10, value)
        assert squared_error(best_grid(seen(values), symmetric=False), values) < 1e-3


def test_a_shared_grid_covers_all_that_was_seen() -> None:
    rng = np.random.default_rng(0)
    small, large = rng.uniform(0, 1, 4000), rng.uniform(-4, 2, 4000)
    shared = best_grid(seen(small), seen(large), symmetric=False)
    assert squared_error(shared, large) < 2 * squared_error(best_grid(seen(large), symmetric=False), large)
    assert shared.scale > best_grid(seen(small), symmetric=False).scale
