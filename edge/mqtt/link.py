"""Link: one connection to an MQTT broker, driven by the thread that owns it; paho's errors become ours here."""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.errors import BrokerError
from edge.mqtt.broker import CONNECT_S, Ack, Received, explain, tls_context

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from edge.clock import Clock
    from edge.mqtt.bell import Bell
    from edge.mqtt.broker import Broker, Message

Protocol = Literal["5", "3.1.1"]

WINDOW = 20
"""At most so many messages on their way: what may be sent twice after a lost connection."""
KEEPALIVE_S = 30

_SILENCE_S = 1.0
_MISC_S = 1.0
_LONG_S = 3600
_UNSUPPORTED_VERSION = 132  # CONNACK reason code, MQTT 5.0 table 3-1
_SESSION_TAKEN_OVER = 142  # DISCONNECT reason code, MQTT 5.0 table 3-13
_REFUSED_FROM = 0x80  # reason codes from here on are failures, MQTT 5.0 section 2.4
_HEADER_BYTES = 64  # more than a PUBLISH packet needs around its topic and payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next try: full jitter below a ceiling that doubles; never gives up."""

    first_s: float = 1.0
    most_s: float = 60.0

    def delay_s(self, failures: int) -> float:
        """Draw the wait after so many failures in a row; never below the first, so that is how often we knock."""
        ceiling = min(self.most_s, self.first_s * 2 ** min(failures + 1, 30))
        return random.uniform(self.first_s, max(ceiling, self.first_s))  # noqa: S311 - spreads load, guards nothing


class Link:
    """A connection that stands; made by `connect`, used and closed by one thread.

    What arrived waits in `acks` and `inbox` until the owner takes it. The owner publishes at most `room` QoS 1
    messages, so paho's own queue never holds a backlog.
    """

    def __init__(self, broker: Broker, client: Client, protocol: Protocol) -> None:
        self.protocol: Protocol = protocol
        self.acks: deque[Ack] = deque()
        self.inbox: deque[Received] = deque()
        self.session_present = False
        self.max_packet_bytes = 268_435_455  # MQTT 5.0 section 2.1.4
        self._window = WINDOW
        self._broker = broker
        self._client = client
        self._connack: ReasonCode | None = None
        self._lost = ""
        self._unacked: dict[int, object] = {}
        self._poll = select.poll()
        self._watched: dict[int, int] = {}  # what is polled, and for which events
        self._misc_s = 0.0  # when keep-alive is looked at next
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.enable_logger(_Complaints(self))
        client.on_socket_open = _without_delay

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye, so that the last will is not published, and free the socket; never raises."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        self._drop()

    @property
    def room(self) -> int:
        """How many QoS 1 messages may be published now."""
        return self._window - len(self._unacked)

    @property
    def window(self) -> int:
        """How many QoS 1 messages may be on their way at once: the broker may allow fewer than `WINDOW`."""
        return self._window

    @property
    def congested(self) -> bool:
        """The socket takes no more just now; what may be dropped should be."""
        return self._client.want_write()

    def fits(self, message: Message) -> bool:
        """Say whether the broker takes messages of this size: it hangs up on larger ones."""
        return len(message.payload) + len(message.topic.encode()) + _HEADER_BYTES <= self.max_packet_bytes

    def publish(self, message: Message, tag: object = None) -> None:
        """Send a message; the broker's answer to QoS 1 comes as an `Ack` with `tag`. Never blocks."""
        properties = None
        if self.protocol == "5":
            properties = _properties(message.correlation, message.response_topic, message.expiry_s, message.properties)
        sent = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if message.qos:
            self._unacked[sent.mid] = tag

    def subscribe(self, *filters: str) -> None:
        """Ask for the messages of these topics at QoS 1, retained ones first."""
        self._client.subscribe([(topic, 1) for topic in filters])

    def acknowledge(self, received: Received) -> None:
        """Tell the broker that a message was dealt with (links made with `manual_ack` only)."""
        self._client.ack(received.mid, received.qos)

    def pump(self, timeout_s: float, bell: Bell | None = None) -> bool:
        """Wait for the network, at most `timeout_s` or until `bell` rings, move what can be moved; give if it rang.

        Raises:
            BrokerError: the connection is gone; the link must be closed.
        """
        sock = self._client.socket()
        if sock is None:
            raise BrokerError(self._explain_loss())
        wire = sock.fileno()
        self._watch(wire, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        if bell is not None:
            self._watch(bell.fileno(), select.POLLIN)
        undecoded = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        found = dict(self._poll.poll(0 if undecoded else max(timeout_s, 0) * 1000))
        events = found.pop(wire, 0)
        if rang := bell is not None and bool(found):
            bell.silence()
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        if events & ~select.POLLOUT or undecoded:
            result = self._client.loop_read()
        if events & select.POLLOUT and self._client.socket() is not None:
            self._client.loop_write()
        if (now := time.monotonic()) >= self._misc_s:
            self._misc_s = now + _MISC_S
            self._client.loop_misc()
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            raise BrokerError(self._explain_loss())
        return rang

    def dial(self, connect: dict[str, Any], timeout_s: float) -> None:
        """Open the socket and send CONNECT. Raises BrokerError."""
        self._client.connect_timeout = timeout_s
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, **connect)
        except (OSError, UnicodeError) as error:
            raise BrokerError(explain(error, self._broker)) from error

    def answer(self, clock: Clock, timeout_s: float) -> ReasonCode | None:
        """Wait for the broker's answer to CONNECT; None when it gives none. Raises BrokerError when it hangs up."""
        deadline = clock.monotonic_s() + timeout_s
        while self._connack is None and (left_s := deadline - clock.monotonic_s()) > 0:
            try:
                self.pump(left_s)
            except BrokerError:
                if self._connack is None:
                    raise
        return self._connack

    def answer_or_fail(self, clock: Clock, timeout_s: float) -> ReasonCode:
        """Wait as `answer` does. Raises BrokerError also when there is no answer."""
        answer = self.answer(clock, timeout_s)
        if answer is None:
            raise BrokerError(f"{self._broker}: no MQTT answer in time: is this the broker's port?")
        return answer

    def _watch(self, handle: int, events: int) -> None:
        if self._watched.get(handle) != events:
            self._poll.register(handle, events)
            self._watched[handle] = events

    def _drop(self) -> None:
        self._client.on_disconnect = None
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _explain_loss(self) -> str:
        line = f"{self._broker}: {self._lost or 'the broker closed the connection'}"
        tls = self._broker.tls
        if self._connack is None and tls is not None and tls.certificate is None:
            line += ": if it wants a certificate of ours, set mqtt.tls.certificate and mqtt.tls.key"
        return line

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        del client, userdata
        self.session_present = flags.session_present
        self._connack = reason
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", self.max_packet_bytes)

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        del client, userdata, properties
        if reason.value == _SESSION_TAKEN_OVER:
            self._lost = "another client took over: give every device its own name"
        elif flags.is_disconnect_packet_from_server:
            self._lost = f"the broker hung up: {reason}"

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        del client, userdata, properties
        if mid in self._unacked:  # QoS 0 comes here too, when it is written
            refused = reason.value >= _REFUSED_FROM
            self.acks.append(Ack(tag=self._unacked.pop(mid), refusal=str(reason) if refused else None))

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        del client, userdata
        properties = message.properties
        self.inbox.append(
            Received(
                topic=message.topic,
                payload=bytes(message.payload),
                retain=message.retain,
                mid=message.mid,
                qos=message.qos,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
            )
        )

    def lost(self, reason: str) -> None:
        """Note why the socket failed, for the error that follows."""
        self._lost = reason


class _Complaints(logging.Logger):
    """Takes from paho what went wrong, and has nothing else written out for each packet."""

    def __init__(self, link: Link) -> None:
        super().__init__("edge.mqtt.paho", logging.ERROR)
        self.propagate = False
        self._link = link

    def handle(self, record: logging.LogRecord) -> None:
        """Keep the newest complaint."""
        self._link.lost(record.getMessage().removeprefix("failed to receive on socket: "))


def connect(
    broker: Broker,
    *,
    client_id: str,
    clock: Clock,
    session_s: int,
    will: Message | None = None,
    manual_ack: bool = False,
    timeout_s: float = CONNECT_S,
) -> Link:
    """Connect with MQTT 5, or with 3.1.1 when the broker refuses 5.

    `session_s` is how long the broker shall keep subscriptions and queued messages while we are away; 0: not at
    all. Waits at most `timeout_s` for the network, and again for the broker.

    Raises:
        BrokerError: not reachable, or the broker refuses us; one line.
        ConfigError: a TLS file can't be used.
    """
    for protocol in ("5", "3.1.1"):
        link = _make(broker, protocol, client_id=client_id, session_s=session_s, will=will, manual_ack=manual_ack)
        try:
            link.dial(_connect_arguments(session_s) if protocol == "5" else {}, timeout_s)
            answer = link.answer(clock, min(_SILENCE_S, timeout_s))
            if answer is None and not (protocol == "5" and _refuses_5(broker, client_id, clock)):
                answer = link.answer_or_fail(clock, timeout_s - _SILENCE_S)
        except BaseException:
            link.close()
            raise
        if answer is not None and not answer.is_failure:
            return link
        link.close()
        if answer is not None and answer.value != _UNSUPPORTED_VERSION:
            raise BrokerError(f"{broker}: refused us: {answer}: check mqtt.username and the password")
    raise BrokerError(f"{broker}: speaks neither MQTT 5 nor 3.1.1: use another broker")


def _refuses_5(broker: Broker, client_id: str, clock: Clock) -> bool:
    """Ask with the shortest CONNECT of MQTT 5.

    A broker that reads the long one as 3.1.1 takes properties for lengths and waits for ever for the rest (amqtt
    does); the short one it understands well enough to refuse. So 3.1.1, which hides refusals, is never a guess.
    """
    with _make(broker, "5", client_id=f"{client_id}-probe", session_s=0, will=None, manual_ack=False) as probe:
        try:
            probe.dial({"clean_start": True}, _SILENCE_S)
            answer = probe.answer(clock, _SILENCE_S)
        except BrokerError:
            return False
    return answer is not None and answer.value == _UNSUPPORTED_VERSION


def _make(
    broker: Broker, protocol: Protocol, *, client_id: str, session_s: int, will: Message | None, manual_ack: bool
) -> Link:
    five = protocol == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if five else session_s < _LONG_S,  # 3.1.1 can't end a session: a short one is none there
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if will is not None:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    if broker.tls is not None:
        client.tls_set_context(tls_context(broker.tls))
    return Link(broker, client, protocol)


def _connect_arguments(session_s: int) -> dict[str, Any]:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    return {"clean_start": session_s == 0, "properties": properties}


@lru_cache(64)
def _properties(
    correlation: bytes | None, response_topic: str | None, expiry_s: int | None, user: tuple[tuple[str, str], ...]
) -> Properties | None:
    """Write the properties of MQTT 5 that a message has; None when it has none."""
    told = {
        "CorrelationData": correlation,
        "ResponseTopic": response_topic,
        "MessageExpiryInterval": expiry_s,
        "UserProperty": list(user) or None,
    }
    if all(value is None for value in told.values()):
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in told.items():
        if value is not None:
            setattr(properties, name, value)
    packed = properties.pack()  # type: ignore[no-untyped-call]
    object.__setattr__(properties, "pack", lambda: packed)  # paho would pack anew for each of thousands
    return properties


def _without_delay(client: Client, userdata: Any, sock: Any) -> None:
    """Send small packets at once: with Nagle's algorithm an alert may wait for the previous one's delayed ACK."""
    del client, userdata
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
