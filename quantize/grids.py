"""Grids: the 256 numbers that an activation is rounded to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantize.observe import Histogram

SHARES = np.linspace(0.3, 1.0, 36)
"""Of what was seen: how much of each side a grid may cover. Cutting off a few extremes makes the steps finer."""

TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers that stand for `scale * (integer - zero_point)`: uint8, or int8 about 0 where the grid is symmetric."""

    scale: float
    zero_point: int
    symmetric: bool

    @property
    def dtype(self) -> type[np.integer]:
        """Of the integers."""
        return np.int8 if self.symmetric else np.uint8

    def rounded(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Give the nearest numbers of the grid."""
        limits = np.iinfo(self.dtype)
        integers = np.clip(np.round(values / self.scale) + self.zero_point, limits.min, limits.max)
        numbers: NDArray[np.floating] = (integers - self.zero_point) * self.scale
        return numbers


def grid_over(low: float, high: float, *, symmetric: bool) -> Grid:
    """Cover a range; 0 is always a number of the grid, since borders are padded with it."""
    low, high = min(low, 0.0), max(high, 0.0)
    if symmetric:
        return Grid(max(-low, high, TINY) / 127, 0, symmetric=True)
    scale = max(high - low, TINY) / 255
    return Grid(scale, round(-low / scale), symmetric=False)


def best_grid(*seen: Histogram, symmetric: bool, step: float | None = None) -> Grid:
    """Choose the grid with the least squared error over all that was seen; both sides of 0 are cut on their own.

    Where values come in steps of their own, as those of pixels do, grids of just these steps are tried as well.
    """
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    one_sided = symmetric or low >= 0 or high <= 0
    pairs = [(share, share) for share in SHARES] if one_sided else [(a, b) for a in SHARES for b in SHARES]
    grids = [grid_over(a * low, b * high, symmetric=symmetric) for a, b in pairs]
    if step:
        zeros = range(1) if symmetric else range(256)
        grids += [Grid(step, zero, symmetric) for zero in zeros]
    centres, counts = (
        np.concatenate(parts) for parts in zip(*((one.centres, one.counts) for one in seen), strict=True)
    )
    shown = counts > 0
    centres, counts = centres[shown], counts[shown]
    if step:
        centres = np.round(centres / step) * step
    errors = [float(counts @ np.square(grid.rounded(centres) - centres)) for grid in grids]
    return grids[int(np.argmin(errors))]
