"""Webhook: one POST per alert, signed after Standard Webhooks (HMAC-SHA256), until the answer is 2xx."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from edge import __version__
from edge.errors import ConfigError, RefusedError, SinkError

if TYPE_CHECKING:
    from edge.clock import Clock
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import WebhookConfig
    from edge.sinks import Site

_AT_ONCE = 20
_IDLE_S = 5.0
_MOST_ANSWER_BYTES = 65_536
_NOT_THIS_ONE = (400, 409, 413, 415, 422)
"""Answers that blame the alert; any other is a fault of the server's or of the settings, which passes."""


def create(name: str, config: WebhookConfig, site: Site) -> Webhook:
    """Make the webhook `name`. Raises ConfigError."""
    return Webhook(name, config, site.clock)


class Webhook:
    """A server that takes alerts at one address."""

    def __init__(self, name: str, config: WebhookConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._key = _key(name, config)
        self._target = urlsplit(config.url)
        self._server: HTTPConnection  # stands while entered

    def __enter__(self) -> Self:
        host, timeout_s = self._target.netloc, self._config.timeout_s
        if self._target.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=self._config.ca)
            except OSError as error:
                raise ConfigError(f"{self._config.ca}: {error.strerror or error}: give a readable PEM file") from error
            self._server = HTTPSConnection(host, timeout=timeout_s, context=context)
        else:
            self._server = HTTPConnection(host, timeout=timeout_s)
        try:
            self._server.connect()
        except OSError as error:
            raise SinkError(f"{self}: {error.strerror or error}: check the address and the network") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.close()

    def __str__(self) -> str:
        return f"{self._target.scheme}://{self._target.netloc}{self._target.path}"

    def turn(self, desk: Desk) -> float:
        alerts = desk.alerts(_AT_ONCE)
        for alert in alerts:
            self._post(alert)
            desk.take(alert)
        if len(alerts) < _AT_ONCE:
            self._server.close()  # servers drop idle connections; the next request opens another
        return 0.0 if alerts else _IDLE_S

    def _post(self, alert: Stored) -> None:
        body = alert.message.encode()
        path = self._target.path or "/"
        try:
            self._server.request(
                "POST", f"{path}?{self._target.query}" if self._target.query else path, body, self._headers(alert, body)
            )
            answer = self._server.getresponse()
            answer.read(_MOST_ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            raise SinkError(f"{self}: {error or type(error).__name__}: check the server") from error
        if answer.status in _NOT_THIS_ONE:
            raise RefusedError(f"{self}: alert {alert.seq} refused: {answer.status} {answer.reason}")
        if not 200 <= answer.status < 300:
            raise SinkError(f"{self}: answered {answer.status} {answer.reason}: check the address, secret and server")

    def _headers(self, alert: Stored, body: bytes) -> dict[str, str]:
        """Sign as https://www.standardwebhooks.com says; the id stays the same however often the alert is sent."""
        name, at = f"{alert.epoch}-{alert.seq}", str(int(self._clock.wall_s()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edgeloupe/{__version__}",
            "webhook-id": name,
            "webhook-timestamp": at,
        }
        if self._key is not None:
            digest = hmac.digest(self._key, f"{name}.{at}.".encode() + body, hashlib.sha256)
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def _key(name: str, config: WebhookConfig) -> bytes | None:
    """Read the key: `whsec_` and base64, or any text."""
    secret = config.secret(name)
    if secret is None or not secret.startswith("whsec_"):
        return secret.encode() if secret else None
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"sinks.{name}: its secret begins with whsec_ but is not base64: copy it again") from error
