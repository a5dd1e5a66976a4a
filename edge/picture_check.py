"""Picture check: is this picture fit to be judged at all?"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge.config import PictureConfig
    from edge.frame import Picture


class PictureCheck:
    """Finds stale, dark, overexposed and frozen pictures of one camera; remembers the last one."""

    def __init__(self, limits: PictureConfig) -> None:
        self._limits = limits
        self._last = 0
        self._same = 1

    def faults(self, small: Picture, age_s: float, *, simulated: bool) -> tuple[str, ...]:
        """Say why the picture can't be judged; empty when it can.

        Args:
            small: the picture at the network's input size.
            age_s: seconds since it was taken, by the monotonic clock.
            simulated: it comes from a file, where repeated pictures are no fault.
        """
        limits = self._limits
        found = []
        if age_s > limits.max_age_s:
            found.append(f"stale: the picture is {age_s:.1f} s old, at most {limits.max_age_s:.1f} s are accepted")
        brightness = float(np.mean(small[::8, ::8]))
        if brightness < limits.dark_below:
            found.append(f"dark: mean brightness {brightness:.0f} is below {limits.dark_below:.0f}")
        if brightness > limits.bright_above:
            found.append(f"overexposed: mean brightness {brightness:.0f} is above {limits.bright_above:.0f}")
        if not simulated and self._repeats(small) >= limits.frozen_after:
            found.append(f"frozen: {self._same} identical pictures in a row")
        return tuple(found)

    def _repeats(self, small: Picture) -> int:
        content = zlib.crc32(np.ascontiguousarray(small[::2]).data)
        self._same = self._same + 1 if content == self._last else 1
        self._last = content
        return self._same
