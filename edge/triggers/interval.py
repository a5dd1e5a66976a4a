"""Interval: a picture from time to time, within a window of the day if asked; the camera is closed in between."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Self

from edge.clock import SystemClock
from edge.triggers import Demand

if TYPE_CHECKING:
    from edge.camera_config import IntervalTrigger
    from edge.clock import Clock
    from edge.pictures.image import Image
    from edge.triggers import Place

_WINDOW_S = 60.0
"""How long at most nothing is asked for before the clock of the wall is looked at again: it may be set meanwhile."""


class Interval:
    """Counts on the monotonic clock; only the window follows the wall's."""

    def __init__(self, config: IntervalTrigger, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._due_mono_s = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        closed_s = self._closed_s()
        if closed_s > 0:
            return Demand(rest_s=min(closed_s, _WINDOW_S))
        if now_mono_s < self._due_mono_s:
            return Demand(rest_s=self._due_mono_s - now_mono_s)
        if picture is None:
            return Demand()
        late_s = now_mono_s - self._due_mono_s
        missed = late_s >= self._config.every_s
        self._due_mono_s = (now_mono_s if missed else self._due_mono_s) + self._config.every_s
        return Demand(wanted=True)

    def _closed_s(self) -> float:
        """Say how long the window stays closed by the clock on the wall; 0 while it is open."""
        begin, end = self._config.begin, self._config.end
        if begin is None or end is None:
            return 0.0
        now = datetime.fromtimestamp(self._clock.wall_s(), UTC).astimezone()
        if _within(now.time(), begin, end):
            return 0.0
        opens = now.replace(hour=begin.hour, minute=begin.minute, second=begin.second, microsecond=0)
        return ((opens if opens > now else opens + timedelta(days=1)) - now).total_seconds()


def _within(at: time, begin: time, end: time) -> bool:
    return begin <= at < end if begin <= end else at >= begin or at < end


def create(config: IntervalTrigger, place: Place) -> Interval:
    """Make the trigger."""
    del place
    return Interval(config, SystemClock())
