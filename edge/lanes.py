"""Lanes: inspections at once, over all cameras; whose turn it is, and in which order it is told."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from edge.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.bell import Bell

T = TypeVar("T")
S = TypeVar("S")

_REST_S = 0.1
_IN_FLIGHT = 2
"""Of a slot's three buffers so many may be looked at while the camera writes into the third."""


class Told(Protocol):
    """Where a station's messages go: the core's end of a pipe."""

    def send(self, message: dict[str, Any], /) -> None:
        """Pass one message on; may wait. Raises BrokenPipeError when nobody is there."""
        ...


class Seat(Protocol[T, S]):
    """One camera, whose frames are taken, looked at and told."""

    def due_mono_s(self) -> float | None:
        """Say when the verdict of the newest frame is due; None while there is no new one."""
        ...

    def begin(self) -> T | None:
        """Take the newest frame; None where there is none any more."""
        ...

    def look(self, taken: T, /) -> S:
        """Inspect a frame; the only part that is done in other threads."""
        ...

    def finish(self, taken: T, seen: S, core: Told, /) -> None:
        """Tell what was seen of a frame, in the order in which frames were taken."""
        ...


class Lanes(Generic[T, S]):
    """The inspections that run at once, for all stations; those of one camera are told in the order they began.

    With one lane everything happens in the caller's thread.
    """

    def __init__(
        self, stations: Mapping[str, Seat[T, S]], priorities: Mapping[str, int], count: int, core: Told, bell: Bell
    ) -> None:
        """Take the stations; `bell` rings when a camera has a picture."""
        self._stations = stations
        self._count = count
        self._core = core
        self._bell = bell
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane") if count > 1 else None
        self._schedule = Schedule(priorities)
        self._begun: dict[str, deque[tuple[T, Future[tuple[S, float]]]]] = {name: deque() for name in stations}

    @property
    def busy(self) -> bool:
        """Whether there are inspections that were begun and not told yet."""
        return any(self._begun.values())

    def turn(self) -> bool:
        """Begin one inspection where a lane is free, finish those that are done; say whether there were any."""
        begun = self._begin()
        return self._finish() or begun

    def finish(self) -> None:
        """Finish what was begun, and begin nothing more."""
        while self.busy:
            if not self._finish():
                self.rest(_REST_S)

    def rest(self, seconds: float) -> None:
        """Wait so long for a picture to come, or less if an inspection ends."""
        self._bell.wait(seconds)

    def _running(self) -> int:
        return sum(not look.done() for begun in self._begun.values() for _, look in begun)

    def _begin(self) -> bool:
        if self._running() == self._count:
            return False
        due = {
            name: due_s
            for name, station in self._stations.items()
            if len(self._begun[name]) < _IN_FLIGHT and (due_s := station.due_mono_s()) is not None
        }
        if not due:
            return False
        name = self._schedule.choose(due)
        taken = self._stations[name].begin()
        if taken is not None:
            self._begun[name].append((taken, self._start(name, taken)))
        return True

    def _start(self, name: str, taken: T) -> Future[tuple[S, float]]:
        if self._pool is not None:
            look = self._pool.submit(self._look, name, taken)
            look.add_done_callback(lambda _: self._bell.ring())
            return look
        done: Future[tuple[S, float]] = Future()
        done.set_result(self._look(name, taken))
        return done

    def _look(self, name: str, taken: T) -> tuple[S, float]:
        began = time.monotonic()
        seen = self._stations[name].look(taken)
        return seen, time.monotonic() - began

    def _finish(self) -> bool:
        finished = False
        for name, begun in self._begun.items():
            while begun and begun[0][1].done():
                taken, look = begun.popleft()
                seen, cost_s = look.result()
                self._schedule.charge(name, cost_s)
                self._stations[name].finish(taken, seen, self._core)
                finished = True
        return finished
