"""Courier: the thread behind each sink but MQTT; it opens the other side, gives it its turns, and begins anew."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, Self, TypedDict

from edge.errors import EdgeloupeError, RefusedError
from edge.outbox.follow import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from edge.clock import Clock
    from edge.outbox.outbox import Stored

log = logging.getLogger(__name__)

PASSING = 256
"""So many results wait at most; then the oldest is dropped and counted."""
TRIES = 5
"""An alert that the other side refuses so often in a row is passed over, and told; it stays in the outbox."""
MOST_PASSED_OVER = 3
"""With so many passed over and none taken since, it is the other side that is wrong: the next one waits for it."""
STOP_S = 5.0
COUNT_S = 0.2


class SinkStatus(TypedDict):
    """How delivery goes."""

    connected: bool
    detail: str  # one line for people: what is wrong, or how it is connected
    protocol: str | None  # MQTT: 5 or 3.1.1
    published: int  # alerts taken by the other side since the start
    in_flight: int  # alerts sent and not answered
    refused: int  # answers that were no since the start
    dropped: int  # passing results that could not be sent in time
    behind: NotRequired[int]  # alerts committed and not taken; MQTT's are the outbox's pending ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """One inspection as it comes by; worth nothing later."""

    camera: str
    result: Mapping[str, Any]  # `edgeloupe.result/1`; not to be changed
    captured_mono_s: float


class Belt:
    """Inspections on their way from the core to the other side: the newest `PASSING`, if it takes any at all."""

    def __init__(self) -> None:
        self.dropped = 0
        self._passing: deque[Passing] = deque(maxlen=PASSING)
        self._wanted: bool | None = None  # not known before the first turn

    def put(self, passing: Passing) -> None:
        """Pass one on; never blocks."""
        if self._wanted is not False:
            self.dropped += len(self._passing) == PASSING
            self._passing.append(passing)

    def take(self) -> Iterator[Passing]:
        """Take all that came by since the last time, oldest first."""
        self._wanted = True
        while self._passing:
            yield self._passing.popleft()

    def settle(self) -> None:
        """After the first turn: keep nothing for a side that took nothing."""
        if self._wanted is None:
            self._wanted = False
            self._passing.clear()
            self.dropped = 0


class Desk:
    """What the other side of a sink works from, in its turns; belongs to the courier's thread.

    Methods that touch the outbox raise OutboxError.
    """

    def __init__(self, follower: Follower, belt: Belt, health: Callable[[], Mapping[str, Any]]) -> None:
        self.taken_count = 0
        self._follower = follower
        self._belt = belt
        self._health = health

    @property
    def health(self) -> Mapping[str, Any]:
        """What the device last told of itself; empty at first."""
        return self._health()

    def alerts(self, limit: int) -> list[Stored]:
        """Give at most `limit` alerts that are not taken, oldest first; the same again until they are."""
        return self._follower.ahead(limit)

    def take(self, *alerts: Stored) -> None:
        """Note that the other side has these alerts, the next ones in their order."""
        if alerts:
            self._follower.take(alerts[-1].seq)
            self.taken_count += len(alerts)

    def results(self) -> Iterator[Passing]:
        """Take the inspections that came by since the last turn, oldest first."""
        return self._belt.take()


class Peer(Protocol):
    """The other side of a sink: a server, a file, a bus. Belongs to one thread; entering connects, leaving lets go.

    Entering raises SinkError when it is out of reach and ConfigError when a setting is wrong; both are told and
    tried again. Every wait inside is bounded.
    """

    def __enter__(self) -> Self:
        """Connect or listen."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def turn(self, desk: Desk) -> float:
        """Do some of what there is to do; give for how many seconds to wait for more, 0 to go on at once.

        Raises SinkError: the other side failed; RefusedError: it does not want the oldest alert.
        """
        ...

    def __str__(self) -> str:
        """Say in a few words what it is connected to."""
        ...


class Courier:
    """A sink with a thread and a place in the outbox of its own, so that neither the core nor another sink waits.

    Whatever goes wrong in the thread is told in `status`, logged when it changes, and tried again with growing pauses.
    """

    def __init__(
        self, name: str, peer: Callable[[], Peer], *, outbox_path: Path, clock: Clock, pause_s: Callable[[int], float]
    ) -> None:
        self._name = name
        self._make_peer = peer
        self._outbox_path = outbox_path
        self._clock = clock
        self._pause_s = pause_s  # by failures in a row
        self._belt = Belt()
        self._health: Mapping[str, Any] = {}
        self._stopping = threading.Event()
        self._bell = threading.Event()
        self._refused_seq, self._refused_times, self._passed_over = 0, 0, 0
        self._thread: threading.Thread | None = None
        self._status = SinkStatus(
            connected=False, detail="starting", protocol=None, published=0, in_flight=0, refused=0, dropped=0
        )

    def __enter__(self) -> Self:
        """Take the sink's place in the outbox and start. Raises OutboxError."""
        Follower(self._outbox_path, self._name).close()
        self._thread = threading.Thread(target=self._run, name=f"sink {self._name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.warning("sink %s did not stop within %.0f s and is left behind", self._name, STOP_S)

    def wake(self) -> None:
        """Tell that alerts were committed."""
        self._bell.set()

    def pass_on(self, camera: str, result: Mapping[str, Any]) -> None:
        """Show one inspection; neither it nor what stands in it may be changed afterwards."""
        captured = self._clock.monotonic_s() - float(result["frame"]["age_s"])
        self._belt.put(Passing(camera=camera, result=result, captured_mono_s=captured))
        self._bell.set()

    def set_state(self, told: Mapping[str, Any]) -> None:
        """Take the device's health; the mapping must not be changed afterwards."""
        self._health = told

    def status(self) -> SinkStatus:
        """Say how delivery goes."""
        return {**self._status, "dropped": self._belt.dropped}

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            before = self._status["published"]
            try:
                self._serve()
            except EdgeloupeError as error:
                self._report(connected=False, detail=str(error))
            except Exception as error:
                log.exception("sink %s failed in an unforeseen way", self._name)
                self._report(connected=False, detail=f"unforeseen: {error}")
            failures = 0 if self._status["published"] > before else failures + 1
            self._stopping.wait(self._pause_s(failures))

    def _serve(self) -> None:
        with Follower(self._outbox_path, self._name) as follower:
            self._status["behind"] = follower.last_seq - follower.position
            with self._make_peer() as peer:
                self._take_turns(follower, peer)
        self._report(connected=False, detail="stopped")

    def _take_turns(self, follower: Follower, peer: Peer) -> None:
        desk = Desk(follower, self._belt, lambda: self._health)
        published, counted_s = self._status["published"], 0.0
        self._report(connected=True, detail=str(peer))
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                wait_s = peer.turn(desk)
            except RefusedError as error:
                self._refused(follower, str(error))
                raise
            finally:
                if published + desk.taken_count > self._status["published"]:
                    self._passed_over = 0
                self._status["published"] = published + desk.taken_count
            now = self._clock.monotonic_s()
            if wait_s >= COUNT_S or now - counted_s >= COUNT_S:  # some sinks take 200 turns a second
                counted_s = now
                self._status["behind"] = follower.last_seq - follower.position
            self._belt.settle()
            self._report(connected=True, detail=str(peer))
            self._bell.wait(wait_s)

    def _refused(self, follower: Follower, reason: str) -> None:
        """Count a refusal of the oldest alert; pass over it when it is refused for good."""
        self._status["refused"] += 1
        rows = follower.ahead(1)
        if not rows:
            return
        seq = rows[0].seq
        self._refused_times = self._refused_times + 1 if seq == self._refused_seq else 1
        self._refused_seq = seq
        if self._refused_times >= TRIES and self._passed_over < MOST_PASSED_OVER:
            self._passed_over += 1
            follower.take(seq)
            log.error("sink %s: alert %d was refused %d times and is passed over: %s", self._name, seq, TRIES, reason)

    def _report(self, *, connected: bool, detail: str) -> None:
        if (connected, detail) != (self._status["connected"], self._status["detail"]):
            level = logging.INFO if connected or self._stopping.is_set() else logging.WARNING
            log.log(level, "sink %s: %s", self._name, detail)
        self._status["connected"], self._status["detail"] = connected, detail
