"""Timeline: when a picture was taken, on our clock, from stamps of the source's own clock."""

from __future__ import annotations

_SKEW = 2e-4
"""Clocks of cameras drift against ours by less than so many seconds per second."""


class Timeline:
    """Lays the source's stamps on our monotonic clock.

    The picture that took the least time to arrive fixes the zero; one that arrives later than it should is that much
    older. So a backlog that a network or a decoder hands over at once does not pass for fresh pictures.
    """

    def __init__(self) -> None:
        self._offset: float | None = None  # our clock minus the source's, at the quickest arrival
        self._last_stamp = float("-inf")
        self._last_arrival = 0.0

    def place(self, stamp_s: float | None, arrived_mono_s: float) -> float:
        """Give the moment a picture was taken; without a stamp that of its arrival.

        Raises:
            ClockWentBackError: the stamp is not later than the one before: this picture is older than one seen already.
        """
        if stamp_s is None:
            return arrived_mono_s
        back_s = self._last_stamp - stamp_s
        if back_s >= 0:
            self._offset = None  # the next stamps count from here on
            self._last_stamp = stamp_s
            raise ClockWentBackError(back_s)
        offset = arrived_mono_s - stamp_s
        if self._offset is not None:
            offset = min(offset, self._offset + _SKEW * (arrived_mono_s - self._last_arrival))
        self._offset = offset
        self._last_stamp, self._last_arrival = stamp_s, arrived_mono_s
        return stamp_s + offset


class ClockWentBackError(Exception):
    """The source's clock went back by so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the camera's clock went back by {seconds:.3f} s")
