"""Weights as integers: errors that make up for each other."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.rounding import MOST, compensated


def layer(seed: int, groups: int, outputs: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, correlated inputs and grids."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(groups, size, size)) * np.geomspace(1, 0.05, size)[:, None]
    inputs = rng.normal(size=(groups, 400, size)) @ mixing
    weights = rng.normal(size=(groups, outputs, size))
    return weights, inputs, np.abs(weights).max(axis=-1) / 7  # few steps: errors are large


@pytest.mark.parametrize("shape", [(1, 4, 18), (6, 1, 9), (2, 3, 8)])
def test_outputs_are_closer_than_by_the_nearest_integers(shape: tuple[int, int, int]) -> None:
    """In all but a few of many layers: rounding one input after the other is no search for the best."""
    gains = []
    for seed in range(200):
        weights, inputs, steps = layer(seed, *shape)
        integers = compensated(weights, inputs.transpose(0, 2, 1) @ inputs / 400, steps)
        assert (integers == np.round(integers)).all()
        assert np.abs(integers).max() <= MOST
        errors = [
            np.square(inputs @ (rounded * steps[..., None] - weights).transpose(0, 2, 1)).sum()
            for rounded in (integers, np.round(weights / steps[..., None]))
        ]
        gains.append(errors[0] / errors[1])
    assert np.mean(np.array(gains) < 1) > 0.95
    assert np.median(gains) < 0.7


def test_inputs_that_do_not_move_together_are_rounded_to_the_nearest() -> None:
    weights, _, steps = layer(0, 1, 5, 12)
    integers = compensated(weights, np.eye(12)[None], steps)
    assert (integers == np.round(weights / steps[..., None])).all()


@pytest.mark.parametrize("dead", [slice(0, 3), slice(None)])
def test_inputs_that_are_never_there_do_no_harm(dead: slice) -> None:
    weights, inputs, steps = layer(1, 1, 4, 9)
    inputs[..., dead] = 0
    found = compensated(weights, inputs.transpose(0, 2, 1) @ inputs / 400, steps)
    assert np.isfinite(found).all()
    assert np.abs(found - weights / steps[..., None]).max() < 30
