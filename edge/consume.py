"""Consume: the reference consumer of alerts: each exactly once, gaps noticed and filled.

from edge.consume import Consumer

with Consumer("broker.example", db=Path("seen.sqlite")) as consumer:
    for alert in consumer:
        print(alert.camera, alert.payload["result_evaluation"])
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping  # noqa: TC003 - consumers' type checkers and tools read the fields at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from edge.clock import SystemClock
from edge.errors import BrokerError
from edge.mqtt.broker import Broker, Message
from edge.mqtt.gaps import Gaps
from edge.mqtt.ledger import Ledger
from edge.mqtt.link import Backoff, Link, connect
from edge.topics import RESERVED, Topics, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.clock import Clock
    from edge.config import TlsConfig
    from edge.mqtt.broker import Received

log = logging.getLogger(__name__)

SESSION_S = 7 * 86_400
"""So long the broker keeps alerts for a consumer with a `db`; for one without, the devices' replay logs must do."""

REQUEST_S = 60
"""The broker forgets a request for a device that is away for so long; it is made again."""
_BACKOFF = Backoff()
_STEP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one device, or a summary that stands for many: `payload["type"]` is `summary` then."""

    device: str
    camera: str
    epoch: str  # of the device's outbox
    seq: int  # within the epoch, without holes
    payload: Mapping[str, Any]  # the whole message, `edgeloupe.result/1` or `edgeloupe.summary/1`


class Consumer:
    """Gives every alert of every device below `prefix` once; belongs to the thread that iterates over it.

    The broker may repeat alerts and may lose those it acknowledged. So alerts are told apart by (device, epoch, seq),
    and numbers that are missing, or that a device's retained state says exist, are asked for on `cmd/replay`.

    An alert counts as dealt with when the next one is asked for: a crash before that brings it again. With `db`,
    a file of our own, that memory outlives the process. Order is that of arrival: a replayed alert comes late.
    The body of a loop should take less than a minute; longer only costs a new connection.

    Iterating goes on for ever and connects again after every loss; use `connect` to learn at once that the broker
    can't be reached, and `poll` to wait for a limited time only.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 1883,
        prefix: str = "edgeloupe",
        *,
        db: Path | None = None,
        since: Literal["now", "first"] = "now",
        username: str | None = None,
        password: str | None = None,
        tls: TlsConfig | None = None,
        clock: Clock | None = None,
        grace_s: float = 2.0,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        """Store the settings.

        Args:
            host: the broker's name or address.
            port: the broker's port.
            prefix: as in the devices' configuration, `mqtt.prefix`.
            db: where to remember what was dealt with; None remembers nothing after the process.
            since: from a device seen for the first time, take alerts from `now` on, or all that it still keeps.
            username: for the broker.
            password: for the broker.
            tls: encryption; None is plain TCP.
            clock: another one for tests.
            grace_s: how long a device must be silent about a gap before a replay is asked for.
            backoff: pauses between tries to connect.
        """
        self._broker = Broker(host=host, port=port, username=username, password=password, tls=tls)
        self._prefix = prefix
        self._db = db
        self._since = since
        self._clock = clock or SystemClock()
        self._grace_s = grace_s
        self._backoff = backoff
        self._link: Link | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._detail = ""
        self._current: tuple[Alert, Received, Link] | None = None
        self.duplicates = 0  # alerts that came again and were left out
        self.malformed = 0  # messages on alert topics that are no alerts

    def __enter__(self) -> Self:
        """Open the memory. Raises OutboxError."""
        self._ledger = Ledger(self._db)
        self._gaps = Gaps(self._ledger, self._clock, since=self._since, grace_s=self._grace_s)
        return self

    def __exit__(self, *exc: object) -> None:
        """Disconnect. The alert given last counts as dealt with only if the loop came back for another."""
        if self._link is not None:
            self._link.close()
            self._link = None
        self._ledger.close()

    def __iter__(self) -> Iterator[Alert]:
        """Give alerts as they come, for ever."""
        while True:
            alert = self.poll(3600.0)
            if alert is not None:
                yield alert

    @property
    def lost(self) -> int:
        """How many alerts the devices no longer have and we never got."""
        return self._gaps.lost

    def connect(self) -> None:
        """Connect now if we are not. Raises BrokerError, ConfigError."""
        if self._link is not None:
            return
        link = connect(
            self._broker,
            client_id=self._ledger.client_id,
            clock=self._clock,
            session_s=SESSION_S if self._db else 0,
            manual_ack=True,
        )
        every = Topics(prefix=self._prefix, device="+")
        link.subscribe(every.availability, every.state, every.reply(self._ledger.client_id), every.camera("+", "alert"))
        self._link = link
        self._failures = 0
        self._gaps.reconnected()
        self._tell(f"connected to {self._broker} with MQTT {link.protocol}", logging.INFO)

    def poll(self, timeout_s: float) -> Alert | None:
        """Give the next alert, or None after `timeout_s`; the alert given before counts as dealt with."""
        self.settle()
        left_s = timeout_s
        until = self._clock.monotonic_s() + timeout_s
        while (alert := self._from_inbox()) is None and left_s >= 0:
            self._wait(min(left_s, _STEP_S))
            left_s = until - self._clock.monotonic_s()
        return alert

    def settle(self) -> None:
        """Note the alert given last as dealt with, without waiting for another one."""
        if self._current is None:
            return
        alert, received, link = self._current
        self._current = None
        self._ledger.add(alert.device, alert.epoch, alert.seq, alert.seq)
        if link is self._link:
            link.acknowledge(received)

    def _wait(self, timeout_s: float) -> None:
        """Let the network work for a while, or the pause before the next try to connect pass."""
        now = self._clock.monotonic_s()
        try:
            if self._link is None and now >= self._retry_at:
                self.connect()
            if self._link is None:
                time.sleep(min(timeout_s, self._retry_at - now))
                return
            for ask in self._gaps.asks():
                self._ask(ask.device, ask.epoch, ask.first, ask.last)
            self._link.pump(timeout_s)
        except BrokerError as error:
            self._failures += 1
            self._retry_at = self._clock.monotonic_s() + self._backoff.delay_s(self._failures)
            self._tell(str(error), logging.WARNING)
            if self._link is not None:
                self._link.close()
                self._link = None

    def _ask(self, device: str, epoch: str, first: int, last: int) -> None:
        if self._link is None or self._link.room <= 0:
            return
        topics = Topics(prefix=self._prefix, device=device)
        told = {"epoch": epoch, "first_seq": first, "last_seq": last, "correlation": self._ledger.client_id}
        request = json.dumps(told).encode()
        self._link.publish(Message(topic=topics.command("replay"), payload=request, expiry_s=REQUEST_S))
        log.info("asked %s to send alerts %d to %d again", device, first, last)

    def _from_inbox(self) -> Alert | None:
        while self._link is not None and self._link.inbox:
            link, received = self._link, self._link.inbox.popleft()
            alert = self._heed(received)
            if alert is not None:
                self._current = (alert, received, link)
                return alert
            link.acknowledge(received)
        return None

    def _heed(self, received: Received) -> Alert | None:
        """Take one message in; give the alert that it is, unless it came before."""
        found = split(self._prefix, received.topic)
        if found is None:
            return None
        device, rest = found
        camera, _, what = rest.rpartition("/")
        if rest == "availability":
            self._gaps.availability(device, received.payload.decode(errors="replace"))
        elif rest == "state":
            self._gaps.state(device, _object(received.payload))
        elif rest == f"reply/{self._ledger.client_id}":
            self._gaps.reply(device, _object(received.payload))
        elif what == "alert" and camera not in RESERVED and not received.retain:
            return self._take(device, camera, _object(received.payload))
        return None

    def _take(self, device: str, camera: str, payload: Mapping[str, Any]) -> Alert | None:
        epoch, seq = payload.get("epoch"), payload.get("seq")
        if not isinstance(epoch, str) or type(seq) is not int or seq < 1:
            self.malformed += 1
            log.warning("%s/%s: a message without epoch and seq is left out", device, camera)
            return None
        if not self._gaps.alert(device, epoch, seq):
            self.duplicates += 1
            return None
        if payload.get("type") == "summary":
            self._gaps.folded(device, epoch, payload.get("folded"))
        return Alert(device=device, camera=camera, epoch=epoch, seq=seq, payload=payload)

    def _tell(self, detail: str, level: int) -> None:
        if detail != self._detail:
            self._detail = detail
            log.log(level, "%s", detail)


def _object(payload: bytes) -> dict[str, Any]:
    """Read a JSON object; empty when it is none."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
