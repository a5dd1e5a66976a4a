"""Schedule: whose picture is inspected next where several cameras share one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Schedule:
    """The earliest deadline first, among the cameras that have not had more than their share of the time.

    While there is time enough, deadlines decide alone. While there is not, the cameras with pictures waiting get time
    in proportion to their priorities, whatever their deadlines; none gets more than its share by more than one
    inspection, so that none starves. Time not used is not saved up. This is EEVDF (Stoica and Abdel-Wahab, "Earliest
    Eligible Virtual Deadline First", 1995) with the pictures' own deadlines.
    """

    def __init__(self, priorities: Mapping[str, int]) -> None:
        self._priorities = priorities
        self._spent = dict.fromkeys(priorities, 0.0)  # seconds over priority
        self._waiting: frozenset[str] = frozenset()
        self._mean = 0.0  # of what those that wait have spent

    def choose(self, deadlines: Mapping[str, float]) -> str:
        """Choose one of the cameras that have a picture waiting, by when its verdict is due; at least one must."""
        for camera in deadlines.keys() - self._waiting:
            self._spent[camera] = max(self._spent[camera], self._mean)
        self._waiting = frozenset(deadlines)
        spent = {camera: self._spent[camera] for camera in deadlines}
        weight = sum(self._priorities[camera] for camera in deadlines)
        self._mean = sum(spent[camera] * self._priorities[camera] for camera in deadlines) / weight
        limit = max(self._mean, min(spent.values()))  # the mean of equals may be rounded to less
        return min((camera for camera in deadlines if spent[camera] <= limit), key=deadlines.__getitem__)

    def charge(self, camera: str, cost_s: float) -> None:
        """Take note of how long an inspection took."""
        self._spent[camera] += cost_s / self._priorities[camera]
