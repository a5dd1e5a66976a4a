"""Broker: where it is, how to be let in, what goes to and fro, and what its failures mean."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config import MqttConfig, TlsConfig

CONNECT_S = 5.0
"""How long the broker may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is, and how to be let in."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsConfig | None = None

    @classmethod
    def of(cls, config: MqttConfig) -> Self:
        """Take it from the configuration. Raises ConfigError when the password can't be read."""
        return cls(
            host=config.host,
            port=config.port,
            username=config.username,
            password=config.password(),
            tls=config.tls,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to publish."""

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False
    correlation: bytes | None = None  # MQTT 5 only, as the next three
    response_topic: str | None = None
    expiry_s: int | None = None  # the broker forgets it then; None: never
    properties: tuple[tuple[str, str], ...] = ()  # for those who route without reading the payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The broker's answer to a QoS 1 message."""

    tag: Any  # as given to `Link.publish`
    refusal: str | None  # the reason; None when the broker took the message. MQTT 3.1.1 never tells.


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Something that came in."""

    topic: str
    payload: bytes
    retain: bool
    mid: int
    qos: int
    response_topic: str | None = None  # MQTT 5 only, as the next
    correlation: bytes | None = None


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Load the files that encryption needs. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(str(path) for path in (tls.ca, tls.certificate, tls.key) if path)
        reason = error.strerror or error
        raise ConfigError(f"mqtt.tls: {files}: {reason}: give readable PEM files that match") from error
    return context


def explain(error: OSError | UnicodeError, broker: Broker) -> str:
    """Say in one line why no connection came about."""
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            return f"{broker}: its certificate is not trusted: {why}: give its authority in mqtt.tls.ca"
        case ssl.SSLError():
            return f"{broker}: TLS failed: {error.reason or error}: is this the broker's TLS port?"
        case ConnectionRefusedError():
            return f"{broker}: connection refused: start the broker, or mend mqtt.host and mqtt.port"
        case TimeoutError():
            return f"{broker}: no answer in time: check mqtt.host, the cable and the firewall"
        case socket.gaierror() | UnicodeError():
            return f"{broker}: no such host: mend mqtt.host"
        case _:
            return f"{broker}: {error.strerror or error}: check the network"
