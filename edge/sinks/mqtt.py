"""MQTT: alerts at QoS 1 from the outbox, the device's state retained, results as they come, replays on request."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self

from edge import __version__
from edge.errors import BrokerError, EdgeloupeError, OutboxDamagedError
from edge.mqtt.bell import Bell
from edge.mqtt.board import Board
from edge.mqtt.broker import Broker, Message
from edge.mqtt.delivery import Delivery
from edge.mqtt.desk import Desk
from edge.mqtt.discovery import birth_topic, config_topic, introduction
from edge.mqtt.link import Backoff, Link, connect
from edge.outbox.outbox import OutboxDrain
from edge.sinks import SinkStatus
from edge.topics import Topics
from edge.written import compact, dumps

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock
    from edge.config import MqttConfig
    from edge.mqtt.broker import Received
    from edge.mqtt.command import Order
    from edge.outbox.outbox import Newest, Stored

log = logging.getLogger(__name__)

SESSION_S = 60
"""The broker keeps commands for a device that is away for so long; older ones should not come as a surprise."""
ANSWER_S = 30.0
"""A broker that leaves an alert unanswered for so long is left and connected to again."""
STATE_S = 1.0
"""The retained state follows `last_seq` at most this often."""
METRICS_S = 60.0
FAREWELL_S = 2.0

_STEADY_S = 10.0  # a connection that held so long ends the back-off
_BACKOFF = Backoff()
_ALERT, _VALUE, _REPLY = "alert", "value", "reply"
_LENIENT = compact(default=str)


class MqttSink:
    """Delivers alerts to an MQTT broker and keeps the device's retained topics true.

    One thread of its own, `mqtt`, started on entering and joined on leaving, owns the connection and its own
    connection to the outbox (`OutboxDrain`): the core commits, this thread reads, acknowledges and replays, in
    short transactions that wait for each other at most some seconds. With `newest`, what the core has just committed
    is not read back. All public methods only leave a note for that thread: they never block and may be called from
    any thread.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        device: str,
        cameras: Sequence[str],
        outbox_path: Path,
        clock: Clock,
        backoff: Backoff = _BACKOFF,
        recipes: Sequence[str] = (),
        newest: Newest | None = None,
    ) -> None:
        self._config = config
        self._cameras, self._recipes = tuple(cameras), tuple(recipes)
        self._outbox_path, self._newest = outbox_path, newest
        self._clock = clock
        self._backoff = backoff
        self._topics = Topics(prefix=config.prefix, device=device)
        self._board = Board()
        self._told: Mapping[str, Any] = {}
        self._status = SinkStatus(
            connected=False, detail="starting", protocol=None, published=0, in_flight=0, refused=0, dropped=0
        )
        self._refusal = ""
        self._said: tuple[str, int, int] | None = None  # what the status was made of
        self.damage: OutboxDamagedError | None = None  # the outbox's file is broken: the core must start anew
        self._desk: Desk | None = None
        self._stopping = threading.Event()
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start delivering. Raises ConfigError for an unreadable password, OutboxError when there is no outbox."""
        broker = Broker.of(self._config)
        audit_path = self._outbox_path.with_name("audit.sqlite")
        self._desk = Desk(self._config, self._topics, self._cameras, audit_path, self._clock)
        OutboxDrain(self._outbox_path).close()
        self._board.hold(self._topics.availability, b"online")
        self._bell = Bell()
        work = (broker, self._bell, self._desk)
        self._thread = threading.Thread(target=self._run, args=work, name="mqtt", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Publish `offline`, disconnect and stop; takes at most some seconds."""
        self._stopping.set()
        if self._bell is None or self._thread is None:
            return
        self._bell.ring()
        self._thread.join(15.0)
        if self._thread.is_alive():  # held by the resolver, which knows no time-out
            log.warning("the MQTT thread did not stop within 15 s and is left behind")
            return
        self._bell.close()

    # --- what the core says

    def wake(self) -> None:
        """Tell that alerts were committed."""
        if self._bell is not None:
            self._bell.ring()

    def publish_result(self, camera: str, payload: Mapping[str, Any]) -> None:
        """Pass on one inspection, at QoS 0; dropped and counted when the broker can't keep up.

        The mapping must not be changed afterwards.
        """
        if self._status["connected"]:
            self._board.say(self._topics.camera(camera, "result"), payload)
            self.wake()

    def set_verdict(self, camera: str, word: str) -> None:
        """Keep the camera's retained verdict: OK, NotOK, NotDecidable or Undefined."""
        self._hold(self._topics.camera(camera, "verdict"), word)

    def set_recipe(self, name: str) -> None:
        """Keep the retained name of the recipe in force."""
        self._hold(self._topics.recipe, name)

    def set_image(self, camera: str, jpeg: bytes) -> None:
        """Keep the camera's retained picture: that of its newest alert."""
        if self._board.hold(self._topics.camera(camera, "image"), jpeg):
            self.wake()

    def set_camera_status(self, camera: str, status: str | Mapping[str, Any]) -> None:
        """Keep the camera's retained status, a word or a JSON object."""
        self._hold(self._topics.camera(camera, "status"), status)

    def set_camera_health(self, camera: str, health: Mapping[str, Any]) -> None:
        """Keep the camera's retained health: its state and why."""
        self._hold(self._topics.camera(camera, "health"), health)

    def set_state(self, told: Mapping[str, Any]) -> None:
        """Take the device's health: `model`, `ready` and `reasons` go into the retained state, all of it into metrics.

        The mapping must not be changed afterwards. The outbox's epoch and numbers are added from the outbox itself.
        """
        self._told = told

    def orders(self) -> list[Order]:
        """Take the commands that the core is to carry out; each wants an `answer`."""
        return self._desk.orders() if self._desk is not None else []

    def answer(self, order: Order, told: Mapping[str, Any]) -> None:
        """Say what became of an order: `error` is None when it was done."""
        if self._desk is not None:
            self._desk.answer(order, told)
            self.wake()

    def status(self) -> SinkStatus:
        """Say how delivery goes."""
        return {**self._status, "dropped": self._board.dropped}

    def _hold(self, topic: str, value: str | Mapping[str, Any]) -> None:
        if self._board.hold(topic, value.encode() if isinstance(value, str) else _json(value)):
            self.wake()

    # --- the thread

    def _run(self, broker: Broker, bell: Bell, desk: Desk) -> None:
        failures = 0
        while not self._stopping.is_set():
            began_s = self._clock.monotonic_s()
            try:
                self._session(broker, bell, desk)
            except OutboxDamagedError as error:
                self.damage = error
                self._report(connected=False, detail=str(error))
            except EdgeloupeError as error:
                self._report(connected=False, detail=str(error))
            except Exception as error:
                log.exception("the MQTT connection failed in an unforeseen way")
                self._report(connected=False, detail=f"unforeseen: {error}")
            held = self._clock.monotonic_s() - began_s > _STEADY_S
            failures = 0 if held else failures + 1
            self._stopping.wait(self._backoff.delay_s(failures))

    def _session(self, broker: Broker, bell: Bell, desk: Desk) -> None:
        """Connect and serve until told to stop. Raises BrokerError, ConfigError, OutboxError."""
        will = Message(topic=self._topics.availability, payload=b"offline", retain=True)
        client_id = f"edgeloupe-{self._topics.device}"
        with (
            OutboxDrain(self._outbox_path) as outbox,
            connect(broker, client_id=client_id, clock=self._clock, session_s=SESSION_S, will=will) as link,
            desk.open(),
        ):
            delivery = Delivery(outbox, self._clock, newest=self._newest)
            published, refused = self._status["published"], self._status["refused"]
            try:
                self._serve(link, bell, outbox, delivery, desk, (published, refused))
            finally:
                delivery.flush(now=True)

    def _serve(
        self,
        link: Link,
        bell: Bell,
        outbox: OutboxDrain,
        delivery: Delivery,
        desk: Desk,
        before: tuple[int, int],
    ) -> None:
        self._greet(link, outbox, desk.filters)
        next_state = next_metrics = 0.0
        news = True  # perhaps something was committed
        while not self._stopping.is_set():
            now = self._clock.monotonic_s()
            if now >= next_state:
                next_state = now + STATE_S
                news = True
                self._board.hold(self._topics.state, _json(self._state(outbox)))
            if now >= next_metrics and self._told:
                next_metrics = now + METRICS_S
                self._board.say(self._topics.metrics, self._told)
            self._fill(link, delivery, desk.replies(), news=news or delivery.may_have_more)
            self._count(link, delivery, before)
            news = link.pump(delivery.pause_s, bell) or (news and self._board.unsaid > 0)
            self._settle(link, delivery)
            while link.inbox:
                received = link.inbox.popleft()
                if not desk.receive(received, outbox, delivery):
                    self._heed(received)
            delivery.flush()
            if delivery.overdue_s() > ANSWER_S:
                raise BrokerError(f"the broker left an alert unanswered for {ANSWER_S:.0f} s: connecting again")
        self._farewell(link, delivery)

    def _greet(self, link: Link, outbox: OutboxDrain, filters: list[str]) -> None:
        """Say who we are: availability, state, introduction, then everything else retained; the backlog follows."""
        self._refusal, self._said = "", None
        self._board.forget_passing()
        self._board.hold(self._topics.state, _json(self._state(outbox)))
        if self._config.discovery_prefix is not None:
            self._introduce(self._config.discovery_prefix)
            filters.append(birth_topic(self._config.discovery_prefix))
        link.subscribe(*filters)
        self._board.renew()

    def _introduce(self, prefix: str) -> None:
        model = self._told.get("model")
        name = model.get("name") if isinstance(model, dict) else None
        told = introduction(
            self._topics,
            self._cameras,
            name,
            commands=self._config.open_commands,
            recipes=self._recipes,
            pictures=self._cameras if self._config.publish_images else (),
        )
        self._board.hold(config_topic(prefix, self._topics.device), _json(told))

    def _state(self, outbox: OutboxDrain) -> dict[str, Any]:
        told = self._told
        return {
            "device": self._topics.device,
            "version": __version__,
            "model": told.get("model"),
            "next_model": told.get("next_model"),
            "refused_model": told.get("refused_model"),
            "recipe_id": told.get("recipe_id"),
            "epoch": outbox.epoch,
            "first_seq": outbox.first_seq,
            "last_seq": outbox.last_seq,
            "gaps": outbox.gaps(),
            "room": told.get("outbox", {}).get("room"),
            "health": {"ready": told.get("ready"), "reasons": told.get("reasons", [])},
        }

    def _fill(self, link: Link, delivery: Delivery, replies: deque[Message], *, news: bool) -> None:
        """Publish what there is room for: retained values first, but never so many that alerts starve."""
        busy = delivery.in_flight > 0
        for topic, value in self._board.changed(min(link.room, link.window // 2 if busy else link.room)):
            message = Message(topic=topic, payload=value, retain=True)
            if link.fits(message):
                link.publish(message, (_VALUE, topic))
            else:
                log.warning("%s: left out: %d bytes are too many for the broker", topic, len(value))
        while replies and link.room > 0:
            link.publish(replies.popleft(), (_REPLY, 0))
        if news and (not self._board.unsaid or busy):
            for row in delivery.take(link.room):
                self._send(row, link, delivery)
        while not link.congested and (said := self._board.passing()) is not None:
            link.publish(Message(topic=said[0], payload=_json(said[1]), qos=0))

    def _send(self, row: Stored, link: Link, delivery: Delivery) -> None:
        told = (("epoch", row.epoch), ("type", row.type))
        topic = self._topics.camera(row.camera, "alert")
        message = Message(topic=topic, payload=row.message.encode(), properties=told)
        if link.fits(message):
            link.publish(message, (_ALERT, row.seq))
        else:
            self._refuse(delivery, row.seq, f"larger than the broker's limit of {link.max_packet_bytes} bytes")

    def _settle(self, link: Link, delivery: Delivery) -> None:
        while link.acks:
            ack = link.acks.popleft()
            kind, what = ack.tag
            if kind == _ALERT and ack.refusal is None:
                delivery.delivered(what)
            elif kind == _ALERT:
                self._refuse(delivery, what, str(ack.refusal))
            elif ack.refusal is not None:
                self._refusal = f"{kind} {what or ''} refused by the broker: {ack.refusal}"

    def _refuse(self, delivery: Delivery, seq: int, reason: str) -> None:
        delivery.refused(seq)
        self._refusal = f"alert refused by the broker: {reason}: check its rules for {self._topics.root}/#"

    def _heed(self, received: Received) -> None:
        """Introduce ourselves again when Home Assistant starts."""
        prefix = self._config.discovery_prefix
        if prefix is not None and received.topic == birth_topic(prefix) and received.payload == b"online":
            self._board.renew(config_topic(prefix, self._topics.device))

    def _farewell(self, link: Link, delivery: Delivery) -> None:
        """Let the broker answer what is on its way, and say `offline`."""
        link.publish(Message(topic=self._topics.availability, payload=b"offline", retain=True), (_VALUE, "farewell"))
        until = self._clock.monotonic_s() + FAREWELL_S
        while link.room < link.window and (left_s := until - self._clock.monotonic_s()) > 0:
            link.pump(left_s)
            self._settle(link, delivery)
        self._report(connected=False, detail="stopped")

    def _count(self, link: Link, delivery: Delivery, before: tuple[int, int]) -> None:
        """Keep the numbers of the status, and make a new one where what it says may have changed."""
        self._status["published"] = before[0] + delivery.published
        self._status["in_flight"] = delivery.in_flight
        if (said := (self._refusal, delivery.refusals, delivery.held_back)) == self._said:
            return
        self._said = said
        detail = f"connected to {self._config.host}:{self._config.port} with MQTT {link.protocol}"
        if link.protocol != "5":
            detail += ", which can't tell us about refused alerts"
        if self._refusal:
            held = f" ({delivery.held_back} held back)" if delivery.held_back else ""
            detail = f"{self._refusal}{held}"
            if not delivery.held_back and self._refusal.startswith(_ALERT):
                self._refusal = ""
        self._report(
            connected=True,
            detail=detail,
            protocol=link.protocol,
            refused=before[1] + delivery.refusals,
        )

    def _report(self, **changes: Any) -> None:
        """Make a new status visible at once, and log its line when that changed."""
        new: SinkStatus = {**self._status, **changes}  # type: ignore[typeddict-item]
        if not new["connected"]:
            new |= {"protocol": None, "in_flight": 0}
        if (new["connected"], new["detail"]) != (self._status["connected"], self._status["detail"]):
            fine = new["connected"] and not self._refusal
            log.log(logging.INFO if fine or self._stopping.is_set() else logging.WARNING, "MQTT: %s", new["detail"])
        self._status = new


def try_broker(config: MqttConfig, device: str, timeout_s: float) -> str:
    """Connect once under another name than the daemon's, and say how that went.

    Raises:
        BrokerError: not reachable, or it refuses us.
        ConfigError: the password, an operator's secret or a TLS file can't be read.
    """
    from edge.clock import SystemClock  # noqa: PLC0415 - only the daemon hands in a clock

    broker, name = Broker.of(config), f"edgeloupe-{device}-check"
    for operator in config.operators.values():
        operator.key()
    with connect(broker, client_id=name, clock=SystemClock(), session_s=0, timeout_s=timeout_s) as link:
        return f"{broker}: MQTT {link.protocol}"


def _json(value: Mapping[str, Any]) -> bytes:
    return dumps(value, _LENIENT).encode()
