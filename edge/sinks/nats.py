"""NATS: one message per alert into a JetStream stream, taken once the stream acknowledged it, kept once."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from nats.aio.client import Client as NatsClient
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.errors import NoStreamResponseError

from edge.errors import ConfigError, RefusedError, SinkError
from edge.outputs.background import Background

if TYPE_CHECKING:
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import NatsConfig
    from edge.sinks import Site

_AT_ONCE = 50
_IDLE_S = 5.0
_TIMEOUT_S = 5.0


def create(name: str, config: NatsConfig, site: Site) -> Nats:
    """Make the NATS sink `name`. Raises ConfigError."""
    return Nats(config, config.secret(name), site.device)


class Nats:
    """Servers that take messages on `subject.CAMERA`; a `Nats-Msg-Id` lets the stream drop what comes twice."""

    def __init__(self, config: NatsConfig, secret: str | None, device: str) -> None:
        self._config = config
        self._options = _options(config, secret, device)
        self._background = Background("nats")
        self._client: NatsClient

    def __enter__(self) -> Self:
        self._background.__enter__()
        try:
            self._background.call(self._connect(), 2 * _TIMEOUT_S)
        except (NatsError, OSError, TimeoutError) as error:
            self._background.__exit__()
            raise SinkError(f"{self}: {_text(error)}: check servers and secret") from error
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(NatsError, OSError, TimeoutError):
            self._background.call(self._client.close())
        self._background.__exit__()

    def __str__(self) -> str:
        return f"NATS subject {self._config.subject} at {', '.join(self._config.servers)}"

    def turn(self, desk: Desk) -> float:
        alerts = desk.alerts(_AT_ONCE)
        for alert in alerts:
            try:
                self._background.call(self._publish(alert))
            except MaxPayloadError as error:
                raise RefusedError(f"{self}: alert {alert.seq} is too large: raise the server's max_payload") from error
            except NoStreamResponseError as error:
                raise SinkError(f"{self}: no JetStream stream takes this subject: add one") from error
            except (NatsError, OSError, TimeoutError) as error:
                raise SinkError(f"{self}: {_text(error)}: check the servers") from error
            desk.take(alert)
        if not alerts and not self._client.is_connected:
            raise SinkError(f"{self}: the connection is gone")
        return 0.0 if alerts else _IDLE_S

    async def _connect(self) -> None:
        self._client = NatsClient()
        try:
            await self._client.connect(self._config.servers, **self._options)
        except BaseException:
            await self._client.close()  # or its socket would stay
            raise

    async def _publish(self, alert: Stored) -> None:
        await self._client.jetstream().publish(
            f"{self._config.subject}.{alert.camera}",
            alert.message.encode(),
            timeout=_TIMEOUT_S,
            headers={"Nats-Msg-Id": f"{alert.epoch}-{alert.seq}"},
        )


def _options(config: NatsConfig, secret: str | None, device: str) -> dict[str, Any]:
    async def ignore(error: Exception) -> None:
        del error  # the call that failed raises it, too

    options: dict[str, Any] = {
        "name": f"edgeloupe-{device}",
        "connect_timeout": _TIMEOUT_S,
        "allow_reconnect": False,  # the courier does that
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0.1,
        "error_cb": ignore,
    }
    if config.ca is not None:
        try:
            options["tls"] = ssl.create_default_context(cafile=config.ca)
        except OSError as error:
            raise ConfigError(f"{config.ca}: {error.strerror or error}: give a readable PEM file") from error
    if config.username is not None:
        options |= {"user": config.username, "password": secret or ""}
    elif secret is not None:
        options["token"] = secret
    return options


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
