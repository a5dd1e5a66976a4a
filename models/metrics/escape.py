"""Escape: defective parts that pass, against good parts that are rejected, as the decision's threshold moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.metrics import Floats, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOTHING = -1.0
"""The score of a part on which nothing is seen: no threshold rejects it."""


class Parts(NamedTuple):
    """Inspected parts, or pictures."""

    scores: Floats  # (N,), of the most certain region that is large enough, 0 to 1, or `NOTHING`
    defective: NDArray[np.bool_]  # (N,)


def join(pictures: Parts, groups: Sequence[str]) -> Parts:
    """Put the pictures of one part together: it is rejected, and defective, when one of them is."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    joined = Parts(np.full(len(names), NOTHING), np.zeros(len(names), np.bool_))
    np.maximum.at(joined.scores, index, pictures.scores)
    np.logical_or.at(joined.defective, index, pictures.defective)
    return joined


def outcomes(parts: Parts, threshold: float) -> NDArray[np.int64]:
    """Say what becomes of each part, (N, 4) of 0 and 1: escaped, defective, falsely rejected, good."""
    passed = parts.scores < max(threshold, 0.0)
    good = ~parts.defective
    return np.stack([passed & parts.defective, parts.defective, ~passed & good, good], axis=1).astype(np.int64)


def rates(sums: NDArray[np.number]) -> tuple[Floats, Floats]:
    """Give the escape rate and the false-reject rate from summed outcomes (…, 4); NaN where there are no such parts."""
    return ratio(sums[..., 0], sums[..., 1]), ratio(sums[..., 2], sums[..., 3])
