"""Sparkplug B: the device as an edge node, its cameras as devices, over the MQTT broker of section `mqtt`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from edge import __version__
from edge.errors import BrokerError, ConfigError, SinkError
from edge.inspection import Verdict
from edge.mqtt.broker import Broker, Message
from edge.mqtt.link import Link, connect
from edge.outputs.sparkplug import BOOLEAN, INT64, STRING, Metric, payload, topic
from edge.written import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge.mqtt.broker import Received
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk, Passing
    from edge.outputs.sparkplug import MessageType
    from edge.sink_config import SparkplugConfig
    from edge.sinks import Site

REBIRTH = "Node Control/Rebirth"

_AT_ONCE = 50
_PUMP_S = 0.1
_FLUSH_S = 5.0
_COUNTS = ("Inspected", *(verdict.name for verdict in Verdict if verdict is not Verdict.Undefined))


def create(name: str, config: SparkplugConfig, site: Site) -> Sparkplug:
    """Make the Sparkplug sink `name`. Raises ConfigError."""
    if site.mqtt is None:
        raise ConfigError(f"sinks.{name} goes through the broker: add section mqtt")
    return Sparkplug(config, Broker.of(site.mqtt), site, site.state_dir / f"sparkplug-{name}")


class Sparkplug:
    """An edge node's session: born when the primary host is there, dead when it leaves or the connection does.

    Sparkplug's data goes at QoS 0, so an alert counts as taken once it is written to a connection that stands; with
    a primary host, only while that is online.
    """

    def __init__(self, config: SparkplugConfig, broker: Broker, site: Site, memory: Path) -> None:
        self._config = config
        self._broker = broker
        self._site = site
        self._memory = memory
        self._host = f"spBv1.0/STATE/{config.primary_host}" if config.primary_host else None
        self._host_online = self._host is None
        self._totals = {camera: dict.fromkeys(_COUNTS, 0) for camera in site.cameras}
        self._born = False
        self._born_ms = 0
        self._seq = 0
        self._link: Link
        self._session = 0

    def __enter__(self) -> Self:
        self._session = self._next_session()
        clock, node = self._site.clock, f"edgeloupe-{self._site.device}-sparkplug"
        try:
            self._link = connect(self._broker, client_id=node, clock=clock, session_s=0, will=self._death())
        except BrokerError as error:
            raise SinkError(str(error)) from error
        filters = [topic(self._config.group, "NCMD", self._site.device), *([self._host] if self._host else [])]
        self._link.subscribe(*filters)
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(BrokerError):
            if self._born:
                self._link.publish(self._death())
                self._flush()
        self._link.close()

    def __str__(self) -> str:
        waiting = "" if self._host_online else f", waiting for host {self._config.primary_host}"
        return f"Sparkplug B in group {self._config.group} on {self._broker}{waiting}"

    def turn(self, desk: Desk) -> float:
        try:
            self._link.pump(_PUMP_S)
            while self._link.inbox:
                self._heed(self._link.inbox.popleft())
            if not self._host_online:
                for _ in desk.results():
                    pass  # worth nothing later
                return 0.0
            if not self._born:
                self._give_birth()
            self._show(desk.results())
            alerts = desk.alerts(_AT_ONCE)
            for alert in alerts:
                self._tell(alert)
            self._flush()
        except BrokerError as error:
            raise SinkError(str(error)) from error
        desk.take(*alerts)
        return 0.0  # the pump above waits

    def _heed(self, received: Received) -> None:
        if received.topic == self._host:
            self._host_online = _is_online(received.payload)
            if not self._host_online and self._born:
                raise SinkError(f"host {self._config.primary_host} went offline: alerts wait until it is back")
        elif REBIRTH.encode() in received.payload:
            self._born = False

    def _give_birth(self) -> None:
        self._born, self._seq, self._born_ms = True, -1, self._now_ms()
        session = Metric(name="bdSeq", value=self._session, timestamp_ms=self._born_ms)
        own = {REBIRTH: False, "Properties/Software": "edgeloupe", "Properties/Version": __version__}
        alert = Metric(name="Alert", value=None, timestamp_ms=self._born_ms, datatype=STRING)
        self._publish("NBIRTH", None, [session, alert, *self._metrics(own)])
        for camera in self._site.cameras:
            blank = [
                Metric(name=name, value=None, timestamp_ms=self._born_ms, datatype=kind)
                for name, kind in (
                    ("Evaluation", STRING),
                    ("Result", STRING),
                    ("Simulated", BOOLEAN),
                    ("Alert", STRING),
                    ("Recipe", STRING),
                )
            ]
            blank += [Metric(name="EvaluationCode", value=0, timestamp_ms=self._born_ms, datatype=INT64)]
            self._publish("DBIRTH", camera, [*blank, *self._metrics(self._counts(camera))])

    def _show(self, results: Iterable[Passing]) -> None:
        for passing in results:
            verdict = Verdict[passing.result["result_evaluation"]]
            totals = self._totals[passing.camera]
            for what in ("Inspected", verdict.name):
                totals[what] = totals.get(what, 0) + 1
            told = {
                "Evaluation": verdict.name,
                "EvaluationCode": verdict.value,
                "Result": dumps(passing.result),
                "Simulated": bool(passing.result.get("is_simulated")),
                **({"Recipe": recipe} if (recipe := passing.result.get("recipe_id")) else {}),
                **self._counts(passing.camera),
            }
            self._publish("DDATA", passing.camera, self._metrics(told))

    def _tell(self, alert: Stored) -> None:
        """Say an alert; one of before this birth is historical, and no news of the present."""
        at_ms = int(alert.committed_at * 1000)
        metric = Metric(name="Alert", value=alert.message, timestamp_ms=at_ms, is_historical=at_ms < self._born_ms)
        known = alert.camera in self._site.cameras  # it may come from before a change of the configuration
        self._publish("DDATA" if known else "NDATA", alert.camera if known else None, [metric])

    def _counts(self, camera: str) -> dict[str, int]:
        return {f"Counts/{name}": count for name, count in self._totals[camera].items()}

    def _metrics(self, values: dict[str, Any]) -> list[Metric]:
        now = self._now_ms()
        return [Metric(name=name, value=value, timestamp_ms=now) for name, value in values.items()]

    def _publish(self, kind: MessageType, device: str | None, metrics: Sequence[Metric]) -> None:
        self._seq = (self._seq + 1) % 256
        where = topic(self._config.group, kind, self._site.device, device)
        self._link.publish(Message(topic=where, payload=payload(self._now_ms(), metrics, self._seq), qos=0))

    def _death(self) -> Message:
        session = Metric(name="bdSeq", value=self._session, timestamp_ms=self._now_ms())
        where = topic(self._config.group, "NDEATH", self._site.device)
        return Message(topic=where, payload=payload(self._now_ms(), [session], None))

    def _flush(self) -> None:
        """Wait until everything is written. Raises BrokerError."""
        until = self._site.clock.monotonic_s() + _FLUSH_S
        while self._link.congested:
            if self._site.clock.monotonic_s() > until:
                raise BrokerError(f"{self._broker}: takes nothing for {_FLUSH_S:.0f} s: check the network")
            self._link.pump(_PUMP_S)

    def _next_session(self) -> int:
        """Count sessions from 0 to 255 and round again, across restarts: bdSeq, section 6.4.30."""
        try:
            last = int(self._memory.read_text(encoding="ascii"))
        except (OSError, ValueError):
            last = -1
        session = (last + 1) % 256
        partial = self._memory.with_suffix(".partial")
        try:
            partial.write_text(str(session), encoding="ascii")
            partial.replace(self._memory)
        except OSError as error:
            raise SinkError(f"{self._memory}: {error.strerror}: check the disk") from error
        return session

    def _now_ms(self) -> int:
        return int(self._site.clock.wall_s() * 1000)


def _is_online(state: bytes) -> bool:
    """Read the host's STATE message, section 6.4.26; what can't be read means offline."""
    try:
        told = json.loads(state)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("online") is True
