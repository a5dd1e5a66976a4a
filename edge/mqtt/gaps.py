"""Gaps: which alerts must exist and never came, and when to ask their device for them again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edge.clock import Clock
    from edge.mqtt.ledger import Ledger

log = logging.getLogger(__name__)

MOST_ASKED = 1000
"""Alerts asked for at once; the rest follows when these have come."""
_AGAIN_S = 5.0
_MOST_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A range of alerts to be asked for, both ends included."""

    device: str
    epoch: str
    first: int
    last: int


@dataclass(slots=True, kw_only=True)
class _Watch:
    """What is known of one device just now."""

    epoch: str
    first: int = 1  # what the device keeps, as its state says
    last: int = 0
    gap_at: int = 0  # where the lowest gap begins; 0 when there is none
    ask_at_s: float = 0.0
    asked: int = 0  # times, for this gap


class Gaps:
    """Watches the numbers of every device; belongs to the consumer's thread. Methods raise OutboxError.

    A gap is asked for when its lower end has not moved for `grace_s`, so that alerts on their way get their time,
    and again with growing pauses; never while the device is offline.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, since: Literal["now", "first"], grace_s: float) -> None:
        self.lost = 0  # alerts that can't come any more
        self._ledger = ledger
        self._clock = clock
        self._since = since
        self._grace_s = grace_s
        self._watches: dict[str, _Watch] = {}
        self._offline: set[str] = set()

    def reconnected(self) -> None:
        """Give every gap its grace anew: the broker may hold the missing alerts for us."""
        for watch in self._watches.values():
            watch.gap_at = 0

    def availability(self, device: str, word: str) -> None:
        """Take a device's `online` or `offline`."""
        if word == "offline":
            self._offline.add(device)
        elif device in self._offline:
            self._offline.remove(device)
            if device in self._watches:
                self._watches[device].gap_at = 0

    def state(self, device: str, told: Mapping[str, Any]) -> None:
        """Take a device's retained state: the epoch, and the numbers it keeps."""
        epoch, first, last = told.get("epoch"), told.get("first_seq"), told.get("last_seq")
        if not isinstance(epoch, str) or type(first) is not int or type(last) is not int:
            return
        watch = self._watch(device, epoch, first - 1, last)
        if watch.epoch != epoch:
            log.warning("%s began a new alert store: what was missing from the old one can't come any more", device)
            watch = self._watches[device] = _Watch(epoch=epoch)
        watch.first, watch.last = first, last
        self._give_up(device, epoch, (self._ledger.floor(device, epoch) or 0) + 1, first - 1)

    def alert(self, device: str, epoch: str, seq: int) -> bool:
        """Take an alert's number; say whether it is new."""
        self._watch(device, epoch, 0, seq - 1)
        return not self._ledger.has(device, epoch, seq)

    def folded(self, device: str, epoch: str, told: object) -> None:
        """Take a summary: the numbers it stands for need not be asked for."""
        spans = told.get("spans") if isinstance(told, Mapping) else None
        for span in spans if isinstance(spans, list) else ():
            if (
                isinstance(span, list)
                and len(span) == 2
                and all(type(seq) is int for seq in span)
                and span[0] <= span[1]
            ):
                self._ledger.add(device, epoch, *span)

    def reply(self, device: str, told: Mapping[str, Any]) -> None:
        """Take a device's answer: what it no longer has is given up."""
        epoch, first, last = told.get("epoch"), told.get("first_seq"), told.get("last_seq")
        if not isinstance(epoch, str) or type(first) is not int or type(last) is not int:
            log.warning("%s can't replay: %s", device, told.get("error"))
            return
        if told.get("error") == "unknown epoch":
            self._give_up(device, epoch, first, last)
        for span in told.get("missing") or ():
            if isinstance(span, list) and len(span) == 2 and all(type(seq) is int for seq in span):
                self._give_up(device, epoch, max(span[0], first), min(span[1], last))

    def asks(self) -> list[Ask]:
        """Give what should be asked for now."""
        found = (self._due(device, watch) for device, watch in self._watches.items() if device not in self._offline)
        return [ask for ask in found if ask is not None]

    def _due(self, device: str, watch: _Watch) -> Ask | None:
        floor = self._ledger.floor(device, watch.epoch) or 0
        last = max(watch.last, self._ledger.highest(device, watch.epoch))
        gap = self._ledger.gap(device, watch.epoch, max(floor + 1, watch.first), last)
        now = self._clock.monotonic_s()
        if gap is None:
            watch.gap_at = 0
            return None
        if gap[0] != watch.gap_at:
            watch.gap_at, watch.asked, watch.ask_at_s = gap[0], 0, now + self._grace_s
        if now < watch.ask_at_s:
            return None
        watch.ask_at_s = now + min(_AGAIN_S * 2 ** min(watch.asked, 10), _MOST_S)
        watch.asked += 1
        return Ask(device=device, epoch=watch.epoch, first=gap[0], last=min(gap[1], gap[0] + MOST_ASKED - 1))

    def _watch(self, device: str, epoch: str, oldest: int, newest: int) -> _Watch:
        """Find what is known of a device; an epoch met for the first time begins at `oldest` or `newest`."""
        if self._ledger.floor(device, epoch) is None:
            everything = self._since == "first" or self._ledger.knows(device)
            self._ledger.set_floor(device, epoch, oldest if everything else newest)
        return self._watches.setdefault(device, _Watch(epoch=epoch))

    def _give_up(self, device: str, epoch: str, first: int, last: int) -> None:
        while (gap := self._ledger.gap(device, epoch, first, last)) is not None:
            self._ledger.add(device, epoch, *gap)
            self.lost += gap[1] - gap[0] + 1
            log.warning("alerts %d to %d of %s are lost: it no longer keeps them", *gap, device)
