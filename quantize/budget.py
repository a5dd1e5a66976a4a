"""Budget: how long the search for a better form may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.clock import SystemClock

if TYPE_CHECKING:
    from edge.clock import Clock


class Budget:
    """Minutes that run from the moment it is made; with none there is no end."""

    def __init__(self, minutes: float | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._end_s = None if minutes is None else self._clock.monotonic_s() + 60 * minutes

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more should be tried."""
        return self._end_s is not None and self._clock.monotonic_s() >= self._end_s
