"""Desk: takes commands in, sees who may ask, keeps the book, and hands what is allowed to the core."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping, Sequence

    from edge.audit import Audit
    from edge.clock import Clock
    from edge.config import MqttConfig, Verb
    from edge.mqtt.broker import Received
    from edge.mqtt.delivery import Delivery
    from edge.outbox import OutboxDrain
    from edge.topics import Topics

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

    def __init__(self, config: MqttConfig, topics: Topics, cameras: Sequence[str], clock: Clock) -> None:
        self._config = config
        self._topics = topics
        self._cameras = tuple(cameras)
        self._clock = clock
        self._keys = {name: operator.key() for name, operator in config.operators.items()}
        self._lock = threading.Lock()
        self._waiting: deque[Order] = deque()
        self._answered: deque[tuple[Order, Mapping[str, Any]]] = deque()
        self._replies: deque[Message] = deque(maxlen=MOST_REPLIES)
        self._refused: Counter[_Refusal] = Counter()  # since the book was last written
        self._write_at_s = 0.0

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return [self._topics.command(verb) for verb in VERBS]

    def orders(self) -> list[Order]:
        """Take what is to be done."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def answer(self, order: Order, told: Mapping[str, Any]) -> None:
        """Say what became of an order: `error` is None when it was done."""
        self._answered.append((order, told))

    def replies(self, audit: Audit) -> deque[Message]:
        """Give the replies to be sent, after writing down what the core answered and what was refused."""
        self.write_down(audit, now=False)
        while self._answered:
            order, told = self._answered.popleft()
            error = told.get("error")
            audit.settle(order.number, "failed" if error else "done", str(error or ""))
            self._reply(order.verb, order.correlation, order.reply_topic, order.data, told)
        return self._replies

    def forget_replies(self) -> None:
        """Drop replies that nobody was there to hear."""
        self._replies.clear()

    def receive(self, received: Received, audit: Audit, outbox: OutboxDrain, delivery: Delivery) -> bool:
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
            self._accept(order, audit, outbox, delivery)
        except RefusedError as error:
            if self._refuse((verb, who or self._claimed(fields), str(error))):
                self._reply(verb, correlation, topic, received.correlation, {"error": str(error)})
        return True

    def _accept(self, order: Order, audit: Audit, outbox: OutboxDrain, delivery: Delivery) -> None:
        if order.verb == "replay":
            told = replay(order.fields, outbox, delivery)
            self._reply(order.verb, order.correlation, order.reply_topic, order.data, told)
            return
        if order.who != ANYONE and audit.knows(order.who, order.correlation):
            raise RefusedError("was dealt with before: a new command needs a new correlation")
        self.write_down(audit)  # the book is in the order of what happened
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise RefusedError("too many commands at a time: ask again later")
            try:
                number = audit.note(verb=order.verb, who=order.who, correlation=order.correlation, outcome="accepted")
            except OutboxError as error:
                raise RefusedError("it can't be written down: the audit's disk fails") from error
            self._waiting.append(replace(order, number=number))

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

    def write_down(self, audit: Audit, *, now: bool = True) -> None:
        """Write the refusals into the book; once a second when it needn't be `now`."""
        clock_s = self._clock.monotonic_s()
        if not self._refused or (clock_s < self._write_at_s and not now):
            return
        self._write_at_s = clock_s + 1.0
        with contextlib.suppress(OutboxError):  # refused all the same; the full disk is told elsewhere
            for (verb, who, detail), count in self._refused.items():
                audit.refuse(verb=verb, who=who, detail=detail, count=count)
        self._refused.clear()
