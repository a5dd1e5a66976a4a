"""Kafka: one record per alert, taken once all replicas in sync have it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from edge.errors import RefusedError, SinkError

if TYPE_CHECKING:
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import KafkaConfig
    from edge.sinks import Site

_AT_ONCE = 200  # far below what the library's queue holds
_IDLE_S = 5.0
_TIMEOUT_S = 10.0
_NOT_THIS_ONE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)


def create(name: str, config: KafkaConfig, site: Site) -> Kafka:
    """Make the Kafka sink `name`. Raises ConfigError."""
    return Kafka(config, config.secret(name), site.device)


class Kafka:
    """A cluster that takes records into one topic, keyed by camera so that a camera's alerts keep their order."""

    def __init__(self, config: KafkaConfig, password: str | None, device: str) -> None:
        self._config = config
        self._device = device
        self._settings = _settings(config, password, device)
        self._producer: Producer

    def __enter__(self) -> Self:
        try:
            self._producer = Producer(self._settings, logger=_quiet())
            self._producer.list_topics(timeout=_TIMEOUT_S / 2)
        except KafkaException as error:
            raise SinkError(f"{self}: {_text(error.args[0])}: check brokers, tls and secret") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._producer.purge()  # what is unanswered stays in the outbox
        self._producer.flush(0)

    def __str__(self) -> str:
        return f"Kafka topic {self._config.topic} at {', '.join(self._config.brokers)}"

    def turn(self, desk: Desk) -> float:
        alerts = desk.alerts(_AT_ONCE)
        faults: dict[int, KafkaError | None] = {}
        for alert in alerts:
            if not self._produce(alert, faults):
                break
        self._producer.flush(_TIMEOUT_S)
        taken = 0
        while taken < len(alerts) and faults.get(alerts[taken].seq, "no answer") is None:
            taken += 1
        desk.take(*alerts[:taken])
        if taken < len(alerts):
            raise self._fault(faults.get(alerts[taken].seq))
        return 0.0 if alerts else _IDLE_S

    def _produce(self, alert: Stored, faults: dict[int, KafkaError | None]) -> bool:
        """Queue one record; say whether the next one may follow."""

        def answered(error: KafkaError | None, message: Any) -> None:
            del message
            faults[alert.seq] = error

        headers: list[tuple[str, str | bytes | None]] = [("epoch", alert.epoch), ("seq", str(alert.seq))]
        key = f"{self._device}/{alert.camera}"
        try:
            self._producer.produce(
                self._config.topic, alert.message.encode(), key, on_delivery=answered, headers=headers
            )
        except KafkaException as error:
            faults[alert.seq] = error.args[0]
            return False
        return True

    def _fault(self, error: KafkaError | None) -> SinkError:
        refused = error is not None and error.code() in _NOT_THIS_ONE
        text = _text(error) if error is not None else f"no answer within {_TIMEOUT_S:.0f} s"
        return (RefusedError if refused else SinkError)(f"{self}: {text}: check the cluster")


def _settings(config: KafkaConfig, password: str | None, device: str) -> dict[str, Any]:
    encryption = config.tls or config.ca is not None
    secure = "SASL_" if config.username is not None else ""
    settings: dict[str, Any] = {
        "bootstrap.servers": ",".join(config.brokers),
        "client.id": f"edgeloupe-{device}",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "message.timeout.ms": int(_TIMEOUT_S * 1000),
        "socket.timeout.ms": int(_TIMEOUT_S * 1000),
        "security.protocol": f"{secure}{'SSL' if encryption else 'PLAINTEXT'}",
    }
    if config.ca is not None:
        settings["ssl.ca.location"] = str(config.ca)
    if config.username is not None:
        settings |= {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": config.username,
            "sasl.password": password or "",
        }
    return settings


def _text(error: object) -> str:
    return " ".join((error.str() if isinstance(error, KafkaError) else str(error)).split())


def _quiet() -> logging.Logger:
    """Give a logger that stays silent: the library repeats what the courier tells once."""
    logger = logging.getLogger("edge.sinks.kafka.library")
    logger.propagate = False
    logger.addHandler(logging.NullHandler()) if not logger.handlers else None
    return logger
