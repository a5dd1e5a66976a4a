"""Resamples: the bootstrap over groups, which says how far a figure could have come out otherwise.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals. Whole groups are drawn: pictures
of one object are no independent evidence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.metrics import Floats

DRAWS = 2000

MIN_GROUPS = 5
"""n groups have C(2n - 1, n) different resamples: 35 for four, 126 for five. A tail of 2.5 % needs 40 at least."""

_ROWS = 100
"""Draws added up at a time, to bound memory where there are many groups."""


class Resamples:
    """Groups drawn with replacement, seeded; the same draws for every figure."""

    def __init__(self, groups: Sequence[str]) -> None:
        _, self._index = np.unique(np.asarray(groups), return_inverse=True)
        self._count = int(self._index.max(initial=-1)) + 1
        rng = np.random.default_rng(0)
        self._times = np.zeros((DRAWS, self._count), np.uint16)  # how often each group is drawn
        for times in self._times if self._count else ():
            times[:] = np.bincount(rng.integers(0, self._count, self._count), minlength=self._count)

    def sums(self, values: NDArray[np.number]) -> Floats:
        """Add up one value, or one array, per picture, (N, …), over the pictures of each draw, (DRAWS, …)."""
        per_group = np.zeros((self._count, *values.shape[1:]))
        np.add.at(per_group, self._index, values)
        flat = per_group.reshape(self._count, -1)
        rows = [self._times[i : i + _ROWS].astype(float) @ flat for i in range(0, DRAWS, _ROWS)]
        return np.concatenate(rows).reshape(DRAWS, *values.shape[1:])

    def groups_with(self, present: NDArray[np.bool_]) -> int:
        """Count the groups with at least one picture that is marked in `present`, (N,)."""
        return len(np.unique(self._index[present]))


def interval(draws: Floats) -> tuple[float, float] | None:
    """Give the 95 % interval of a figure's draws, (DRAWS,); NaN ones are left out; None where all are."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Give the 95 % interval of a share of so many trials (Wilson, JASA 1927).

    It serves where every draw of a bootstrap gives 0 or 1: what has not happened yet can't be drawn.
    """
    z = 1.959964
    middle = share + z**2 / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low, high = ((middle + sign * reach) / (1 + z**2 / trials) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)
