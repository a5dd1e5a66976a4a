"""Clock: the one source of time; ages, rates and time-outs use the monotonic side."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; safe to share between threads."""

    def monotonic_s(self) -> float:
        """Seconds that never jump, comparable between the processes of one boot."""
        ...

    def wall_s(self) -> float:
        """Seconds since the epoch, UTC; may jump when the clock is set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()


class FakeClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, wall_s: float = 1_800_000_000.0) -> None:
        self._monotonic_s = 1000.0
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_s(self) -> float:
        return self._wall_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._monotonic_s += seconds
        self._wall_s += seconds

    def set_wall(self, wall_s: float) -> None:
        """Let the wall clock jump, as NTP or an empty battery does."""
        self._wall_s = wall_s


def rfc3339(wall_s: float) -> str:
    """Write seconds since the epoch as `2026-11-21T08:15:30.123Z` (RFC 3339, UTC, milliseconds)."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
