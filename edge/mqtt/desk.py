"""Desk: takes commands in, sees who may ask, keeps the book, and hands what is allowed to the core."""

from __future__ import annotations

import contextlib
import json
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.audit import Audit
from edge.errors import OutboxError
from edge.mqtt.broker import Message
from edge.mqtt.command import (
    ANYONE,
    VERBS,
    Order,
    RefusedError,
    authorise,
    camera_of,
    correlation_of,
    read_fields,
    reply_topic_of,
)
from edge.mqtt.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock
    from edge.config import MqttConfig
    from edge.mqtt.broker import Received
    from edge.mqtt.delivery import Delivery
    from edge.outbox.outbox import OutboxDrain
    from edge.topics import Topics, Verb

MOST_WAITING = 8
"""So many commands wait for the core; further ones are refused."""
MOST_REPLIES = 32
"""So many replies wait for the network; then the newest wins."""
MOST_REFUSALS = 64
"""So many kinds of refusals are told apart within a second."""
REPLY_S = 300
"""The broker forgets a reply that nobody fetched for so long."""

_Refusal = tuple[str, str, str]  # verb, who, why


class Desk:
    """Commands and replies; `orders` and `answer` are for the core's thread, the rest for the sink's."""

    def __init__(
        self, config: MqttConfig, topics: Topics, cameras: Sequence[str], audit_path: Path, clock: Clock
    ) -> None:
        self._audit_path = audit_path
        self._audit: Audit | None = None
        self._config = config
        self._topics = topics
        self._cameras = tuple(cameras)
        self._clock = clock
        self._keys = {name: operator.key() for name, operator in config.operators.items()}
        self._waiting: deque[Order] = deque()
        self._answered: deque[tuple[Order, Mapping[str, Any]]] = deque()
        self._replies: deque[Message] = deque(maxlen=MOST_REPLIES)
        self._refused: Counter[_Refusal] = Counter()  # since the book was last written
        self._write_at_s = 0.0

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return [self._topics.command(verb) for verb in VERBS]

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Open the book for one connection. A book that can't be opened costs commands, never alerts."""
        self._replies.clear()  # nobody was there to hear them
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OutboxError):
                self._audit = stack.enter_context(Audit(self._audit_path, self._clock))
            try:
                yield
            finally:
                self._write_down()
                self._audit = None

    def orders(self) -> list[Order]:
        """Take what is to be done."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def answer(self, order: Order, told: Mapping[str, Any]) -> None:
        """Say what became of an order: `error` is None when it was done."""
        self._answered.append((order, told))

    def replies(self) -> deque[Message]:
        """Give the replies to be sent, after writing down what the core answered and what was refused."""
        if self._clock.monotonic_s() >= self._write_at_s:
            self._write_down()
        while self._answered:
            order, told = self._answered.popleft()
            error = told.get("error")
            with contextlib.suppress(OutboxError):  # it was done, and its row says `accepted`
                self._book().settle(order.number, "failed" if error else "done", str(error or ""))
            self._reply(order.verb, order.correlation, order.reply_topic, order.data, told)
        return self._replies

    def receive(self, received: Received, outbox: OutboxDrain, delivery: Delivery) -> bool:
        """Take a message in if it is a command; say whether it was one. A retained one is an old one, and ignored.

        Raises OutboxError when replaying fails.
        """
        verb = next((verb for verb in VERBS if received.topic == self._topics.command(verb)), None)
        if verb is None or received.retain:
            return verb is not None
        fields: dict[str, Any] = {}
        who, correlation, topic = "", "", None
        try:
            fields = read_fields(received.payload)
            correlation = correlation_of(received, fields)
            reserved = (self._config.prefix, self._config.discovery_prefix)
            topic = reply_topic_of(received, self._topics, correlation, *reserved)
            who = authorise(verb, self._topics.device, fields, self._config, self._keys, self._clock.wall_s())
            if who != ANYONE:
                correlation = fields["correlation"]  # what was signed: the one beside it anybody may change
            order = Order(
                verb=verb,
                who=who,
                camera=camera_of(fields, self._cameras),
                fields=fields,
                correlation=correlation,
                reply_topic=topic,
                data=received.correlation,
            )
            self._accept(order, outbox, delivery)
        except RefusedError as error:
            if self._refuse((verb, who or self._claimed(fields), str(error))):
                self._reply(verb, correlation, topic, received.correlation, {"error": str(error)})
        return True

    def _accept(self, order: Order, outbox: OutboxDrain, delivery: Delivery) -> None:
        """Replay at once, or hand to the core. Raises RefusedError; OutboxError when replaying fails."""
        if order.verb == "replay":
            told = replay(order.fields, outbox, delivery)
            self._reply(order.verb, order.correlation, order.reply_topic, order.data, told)
            return
        self._write_down()  # the book is in the order of what happened
        if len(self._waiting) >= MOST_WAITING:
            raise RefusedError("too many commands at a time: ask again later")
        self._waiting.append(replace(order, number=self._enter(order)))

    def _enter(self, order: Order) -> int:
        """Write an order into the book; give its row. Raises RefusedError."""
        try:
            book = self._book()
            if order.who != ANYONE and book.knows(order.who, order.correlation):
                raise RefusedError("was dealt with before: a new command needs a new correlation")
            return book.note(verb=order.verb, who=order.who, correlation=order.correlation, outcome="accepted")
        except OutboxError as error:
            raise RefusedError("it can't be written down: the audit's disk fails") from error

    def _book(self) -> Audit:
        """Give the book. Raises OutboxError when it could not be opened."""
        if self._audit is None:
            raise OutboxError(f"{self._audit_path}: can't be opened")
        return self._audit

    def _reply(
        self, verb: Verb, correlation: str, topic: str | None, data: bytes | None, told: Mapping[str, Any]
    ) -> None:
        if topic is None:
            return
        fields = {"schema": "edgeloupe.reply/1", "verb": verb, "correlation": correlation or None, **told}
        self._replies.append(
            Message(topic=topic, payload=json.dumps(fields).encode(), correlation=data, expiry_s=REPLY_S)
        )

    def _claimed(self, fields: Mapping[str, Any]) -> str:
        """Give the operator somebody claims to be; made-up names would fill the book."""
        name = fields.get("by")
        return name if isinstance(name, str) and name in self._keys else ""

    def _refuse(self, refusal: _Refusal) -> bool:
        """Count a refusal; say whether it may have a reply: a flood of commands must not become one of replies."""
        if refusal not in self._refused and len(self._refused) >= MOST_REFUSALS:
            refusal = ("any", "", "too many kinds of refused commands at a time")
        self._refused[refusal] += 1
        return self._refused.total() <= MOST_REPLIES

    def _write_down(self) -> None:
        """Write the refusals since the last time into the book."""
        self._write_at_s = self._clock.monotonic_s() + 1.0
        with contextlib.suppress(OutboxError):  # refused all the same; the failing disk is told elsewhere
            for (verb, who, detail), count in self._refused.items():
                self._book().refuse(verb=verb, who=who, detail=detail, count=count)
        self._refused.clear()
