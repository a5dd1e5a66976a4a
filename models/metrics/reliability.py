"""Reliability: whether a network that says 0.9 is right nine times out of ten.

Expected calibration error after Naeini et al. (AAAI 2015) with the bins of Guo et al., "On Calibration of Modern Neural
Networks" (ICML 2017, arXiv:1706.04599): the mean difference of confidence and accuracy over bins of equal width,
weighted by how many predictions fall into each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.metrics import Floats, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15


@dataclass(slots=True)
class Reliability:
    """Predictions pooled by their confidence."""

    bins: int = BINS
    totals: Floats = field(init=False)  # (3, bins): predictions, their confidence and how many are right, summed

    def __post_init__(self) -> None:
        self.totals = np.zeros((3, self.bins))

    def add(self, confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> None:
        """Pool predictions; `confidence` is the probability of the class that was predicted, 0 to 1."""
        place = np.ceil(confidence.ravel() * self.bins).astype(np.int64).clip(1, self.bins) - 1
        weights = (None, confidence.ravel(), correct.ravel())
        self.totals += [np.bincount(place, values, self.bins) for values in weights]

    @property
    def confidence(self) -> Floats:
        """Mean confidence by bin; NaN where it is empty."""
        return ratio(self.totals[1], self.totals[0])

    @property
    def accuracy(self) -> Floats:
        """Share of right predictions by bin; NaN where it is empty."""
        return ratio(self.totals[2], self.totals[0])

    def error(self) -> float:
        """Give the expected calibration error, 0 to 1; NaN without predictions."""
        count, confidence, correct = self.totals
        return float(ratio(np.abs(correct - confidence).sum(), count.sum()))


def expected_calibration_error(confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Give the expected calibration error of predictions of any shape, 0 to 1; NaN without any."""
    pooled = Reliability(bins)
    pooled.add(confidence, correct)
    return pooled.error()
