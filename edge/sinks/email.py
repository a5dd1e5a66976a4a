"""E-mail: one mail for the alerts that began since the last one, with their pictures."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from edge.errors import ConfigError, RefusedError, SinkError
from edge.evidence.arrival import COMES_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import EmailConfig
    from edge.sinks import Site

_AT_ONCE = 200
_TIMEOUT_S = 10.0
_MOST_PICTURE_BYTES = 4 << 20
_PERMANENT = 500  # RFC 5321 section 4.2.1: replies from here on are final
_NOT_NOW = (smtplib.SMTPAuthenticationError, smtplib.SMTPHeloError, smtplib.SMTPNotSupportedError)


def create(name: str, config: EmailConfig, site: Site) -> Email:
    """Make the mail sink `name`. Raises ConfigError."""
    return Email(config, config.secret(name), site)


class Email:
    """A mail server that takes our mails; connected to only while there is one."""

    def __init__(self, config: EmailConfig, password: str | None, site: Site) -> None:
        self._config = config
        self._password = password
        self._site = site
        self._port = config.port or (465 if config.tls == "implicit" else 587)
        self._arrival = site.arrival()
        self._next_s = 0.0
        self._held_since_s: float | None = None  # a mail that waits for pictures

    def __enter__(self) -> Self:
        with contextlib.closing(self._connect()) as server, contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        return self

    def __exit__(self, *exc: object) -> None: ...

    def __str__(self) -> str:
        return f"{self._config.host}:{self._port}"

    def turn(self, desk: Desk) -> float:
        now_s = self._site.clock.monotonic_s()
        if now_s < self._next_s:
            return self._next_s - now_s
        alerts = desk.alerts(_AT_ONCE)
        begun = [alert for alert in alerts if alert.type in ("new", "summary")]
        if wait_s := self._awaits(begun, now_s):
            return wait_s
        if begun:
            try:
                self._send(self._write(begun, self._config.pictures))
            except RefusedError:  # too large perhaps
                self._send(self._write(begun, 0))
            self._next_s = self._site.clock.monotonic_s() + self._config.every_s
        desk.take(*alerts)
        return 0.0 if alerts else self._config.every_s

    def _awaits(self, begun: Sequence[Stored], now_s: float) -> float:
        """Say for how long to wait for pictures that are on their way, in all no longer than one of them may take."""
        wait_s = max((self._arrival.wait_s(alert) for alert in self._shown(begun)), default=0.0)
        if self._held_since_s is None:
            self._held_since_s = now_s
        if not wait_s or now_s > self._held_since_s + COMES_WITHIN_S:
            self._held_since_s = None
            return 0.0
        return wait_s

    def _shown(self, begun: Sequence[Stored]) -> Sequence[Stored]:
        return begun[-self._config.pictures :] if self._config.pictures else ()

    def _send(self, mail: EmailMessage) -> None:
        server = self._connect()
        try:
            server.send_message(mail)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._fault(min(codes, default=0), f"every recipient was refused: {error}") from error
        except smtplib.SMTPResponseException as error:
            raise self._fault(error.smtp_code, _text(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise SinkError(f"{self}: {_text(error)}: check the mail server") from error
        finally:
            server.close()

    def _fault(self, code: int, text: str) -> SinkError:
        return (RefusedError if code >= _PERMANENT else SinkError)(f"{self}: {text}")

    def _connect(self) -> smtplib.SMTP:
        config = self._config
        try:
            context = ssl.create_default_context(cafile=config.ca)
        except OSError as error:
            raise ConfigError(f"{config.ca}: {error.strerror or error}: give a readable PEM file") from error
        server: smtplib.SMTP | None = None
        try:
            if config.tls == "implicit":
                server = smtplib.SMTP_SSL(config.host, self._port, timeout=_TIMEOUT_S, context=context)
            else:
                server = smtplib.SMTP(config.host, self._port, timeout=_TIMEOUT_S)
            if config.tls == "starttls":
                server.starttls(context=context)
            if config.username is not None:
                server.login(config.username, self._password or "")
        except _NOT_NOW as error:
            _close(server)
            raise SinkError(f"{self}: {_text(error)}: check tls, username and secret") from error
        except (smtplib.SMTPException, OSError) as error:
            _close(server)
            raise SinkError(f"{self}: {_text(error)}: check host, port and tls") from error
        return server

    def _write(self, alerts: Sequence[Stored], pictures: int) -> EmailMessage:
        """Write the mail for alerts that began, with the newest pictures."""
        told = [alert.fields() for alert in alerts]
        cameras = ", ".join(dict.fromkeys(alert.camera for alert in alerts))
        mail = EmailMessage()
        count = "an alert" if len(alerts) == 1 else f"{len(alerts)} alerts"
        mail["Subject"] = f"{self._site.device}: {count} at {cameras}"
        mail["From"], mail["To"] = self._config.sender, ", ".join(self._config.recipients)
        mail["Date"] = format_datetime(datetime.fromtimestamp(self._site.clock.wall_s(), UTC))
        mail["Message-ID"] = make_msgid(f"{alerts[0].epoch}-{alerts[-1].seq}", self._config.sender.partition("@")[2])
        mail["X-Edgeloupe-Alerts"] = f"{alerts[0].epoch} {alerts[0].seq}-{alerts[-1].seq}"
        mail.set_content("\n".join(_line(fields) for fields in told) + "\n")
        for fields in told[-pictures:] if pictures else ():
            self._attach(mail, fields.get("evidence"))
        return mail

    def _attach(self, mail: EmailMessage, evidence: object) -> None:
        """Attach a picture that is still there; a mail goes out without it otherwise."""
        if not isinstance(evidence, str):
            return
        path = self._site.evidence / evidence
        with contextlib.suppress(OSError):
            if path.stat().st_size <= _MOST_PICTURE_BYTES:
                name = PurePosixPath(evidence).name
                mail.add_attachment(path.read_bytes(), maintype="image", subtype="jpeg", filename=name)


def _line(fields: dict[str, Any]) -> str:
    what = "; ".join(str(reason) for reason in fields.get("reasons") or ()) or "no reason told"
    where = f"{fields.get('camera')}: {fields.get('result_evaluation', 'alert')}"
    return f"{fields.get('creation_time', '')}  {where}: {what}  (number {fields['seq']})"


def _text(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {' '.join(said.split())}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _close(server: smtplib.SMTP | None) -> None:
    if server is not None:
        server.close()
