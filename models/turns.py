"""Turns: how long things take that run one after the other in every round, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WARM_UP, TIMED = 3, 30
"""Rounds until time is taken, and those that count."""


def in_turns(runs: Sequence[Callable[[], object]]) -> list[float]:
    """Give the median seconds of each of `runs`."""
    taken_s = np.empty((WARM_UP + TIMED, len(runs)))
    for turn in taken_s:
        for place, run in enumerate(runs):
            begun_s = time.perf_counter()
            run()
            turn[place] = time.perf_counter() - begun_s
    return [float(seconds) for seconds in np.median(taken_s[WARM_UP:], axis=0)]
