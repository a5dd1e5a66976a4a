"""Hostile messages on every topic of a device: `python -m tests.soak.hostile [MESSAGES]`, 100,000 unless told."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from edge.audit import Audit
from edge.clock import SystemClock
from edge.config import MqttConfig, OperatorConfig
from edge.mqtt.broker import Broker, Message
from edge.mqtt.command import VERBS, signature
from edge.mqtt.link import Link, connect
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
from tests.brokers import Mosquitto, until
from tests.soak.command import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGES = 100_000
ALERTS = 50
KEY = b"the secret of the operator"
_BATCH = 500


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    sent: int = 0
    refused: int = 0  # as the audit counts
    audit_rows: int = 0
    obeyed: int = 0  # orders that reached the core; right is the one that was signed
    changed: int = 0  # alerts sent again, values spoken on topics of devices
    alive: bool = False  # and still delivering

    @property
    def clean(self) -> bool:
        return self.alive and self.obeyed == 1 and not self.changed and self.audit_rows < 5000


def attack(messages: int, folder: Path, seed: int = 7) -> Figures:
    """Send `messages` to a device whose every command must be signed; one of them is."""
    chance, clock, figures = random.Random(seed), SystemClock(), Figures()
    (folder / "key").write_bytes(KEY)
    operators = {"anna": OperatorConfig(key_file=folder / "key", verbs=list(VERBS))}
    with (
        Mosquitto(folder, "max_queued_messages 0", "max_packet_size 2000000") as broker,
        Outbox(folder / "outbox.sqlite", clock) as outbox,
    ):
        config = MqttConfig(port=broker.port, open_commands=[], operators=operators)
        path = folder / "outbox.sqlite"
        with MqttSink(config, device="line3", cameras=["belt"], outbox_path=path, clock=clock) as sink:
            _alerts(outbox, sink, ALERTS)
            thread = next(thread for thread in threading.enumerate() if thread.name == "mqtt")
            where = Broker(host="127.0.0.1", port=broker.port)
            with connect(where, client_id="enemy", clock=clock, session_s=0) as link:
                _send(link, _signed(clock))
                until(sink.orders, "for the one order that is allowed")
                figures.obeyed = 1
                link.subscribe("edgeloupe/line3/+", "edgeloupe/line3/+/alert", "edgeloupe/+/reply/#")
                _listen(link, 0.5)
                stolen = _signed(clock)
                for _ in tqdm(range(messages // _BATCH), disable=None, unit=f" {_BATCH}"):
                    for message in (_hostile(chance, stolen) for _ in range(_BATCH)):
                        _send(link, message)
                    _listen(link, 0.0)
                    figures.obeyed += len(sink.orders())
                figures.sent = messages // _BATCH * _BATCH
                _listen(link, 3.0)
                figures.changed = sum("/alert" in topic for topic in _listen(link, 0.5))
                figures.obeyed += len(sink.orders())
            figures.changed += outbox.last_seq != ALERTS
            _alerts(outbox, sink, ALERTS)
            figures.alive = thread.is_alive() and sink.status()["connected"]
        with Audit(folder / "audit.sqlite", clock) as audit:
            rows = audit.rows(1_000_000)
        figures.audit_rows = len(rows)
        figures.refused = sum(row["count"] for row in rows if row["outcome"] == "refused")
    return figures


def _alerts(outbox: Outbox, sink: MqttSink, count: int) -> None:
    outbox.commit([{"camera": "belt", "alert_id": "a", "type": "end"}] * count)
    sink.wake()
    until(lambda: outbox.pending_count == 0, "for the alerts to go out")


def _signed(clock: SystemClock) -> Message:
    fields: dict[str, Any] = {"by": "anna", "issued_at": clock.wall_s(), "correlation": "once", "camera": "belt"}
    fields["signature"] = signature(KEY, verb="stop", device="line3", fields=fields)
    return Message(topic="edgeloupe/line3/cmd/stop", payload=json.dumps(fields).encode())


def _hostile(chance: random.Random, stolen: Message) -> Message:
    verb = chance.choice(VERBS)
    topics = [f"edgeloupe/line3/cmd/{verb}"] * 9 + ["homeassistant/status"]
    fields = {name: _value(chance) for name in ("by", "issued_at", "signature", "correlation", "camera", "epoch")}
    fields |= {"first_seq": _value(chance), "last_seq": _value(chance)}
    if chance.random() < 0.3:
        fields |= {"by": "anna", "correlation": f"c{chance.random()}"[:20].replace(".", "-"), "issued_at": time.time()}
    original = json.loads(stolen.payload)
    payloads: list[Callable[[], bytes]] = [
        lambda: chance.randbytes(chance.randint(0, 300)),
        lambda: json.dumps(fields).encode(),
        json.dumps(fields)[: chance.randint(0, 60)].encode,
        lambda: stolen.payload,  # again, or under another verb
        lambda: json.dumps({**original, "correlation": f"c{chance.randint(0, 10**9)}"}).encode(),
        lambda: b"[" * chance.randint(1, 5000),
        lambda: b"x" * (100_000 if chance.random() < 0.01 else 20_000),
        lambda: b"",
    ]
    payload = chance.choice(payloads)()
    spoken_through = [
        "edgeloupe/line3/state",
        "edgeloupe/line3/availability",
        "edgeloupe/line4/x/alert",
        "$SYS/x",
        "a/b",
    ]
    return Message(
        topic=stolen.topic if payload == stolen.payload and chance.random() < 0.5 else chance.choice(topics),
        payload=payload,
        qos=chance.choice([0, 0, 0, 1]),
        correlation=chance.randbytes(8) if chance.random() < 0.2 else None,
        response_topic=chance.choice(spoken_through) if chance.random() < 0.2 else None,
        expiry_s=chance.choice([None, 1, 1000]),
    )


def _value(chance: random.Random) -> Any:
    return chance.choice(
        [
            None,
            True,
            0,
            -1,
            1 << 70,
            1e308,
            "",
            "anna",
            "belt",
            "../x",
            "\x00",
            "ü" * 50,
            [],
            {},
            [[]],
            {"a": [1]},
            1.5,
            "1",
        ]
    )


def _send(link: Link, message: Message) -> None:
    while message.qos and link.room <= 0:
        link.pump(0.05)
    while link.congested:
        link.pump(0.05)
    link.publish(message)


def _listen(link: Link, quiet_s: float) -> list[str]:
    """Take what comes until nothing has for a while; give the topics."""
    topics = []
    until_s = time.monotonic() + quiet_s
    while True:
        link.pump(0.0 if not quiet_s else 0.05)
        link.acks.clear()
        if link.inbox:
            until_s = time.monotonic() + quiet_s
        while link.inbox:
            topics.append(link.inbox.popleft().topic)
        if time.monotonic() >= until_s:
            return topics


if __name__ == "__main__":
    command(attack, MESSAGES)
