"""Syslog: one RFC 5424 line per alert to a server, or one entry with its fields in this machine's journal."""

from __future__ import annotations

import json
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from edge.clock import rfc3339
from edge.errors import ConfigError, RefusedError, SinkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import SyslogConfig
    from edge.sinks import Site

JOURNAL = "/run/systemd/journal/socket"

_AT_ONCE = 100
_IDLE_S = 5.0
_TIMEOUT_S = 10.0
_SEVERITY = {"new": 4, "update": 5, "end": 5}  # warning, notice: RFC 5424 table 2
_SDID = "edgeloupe@32473"  # the enterprise number that RFC 5612 sets aside for documentation


def create(name: str, config: SyslogConfig, site: Site) -> Syslog:
    """Make the syslog sink; `name` is not needed."""
    del name
    return Syslog(config, site.device)


class Syslog:
    """A socket that takes lines. TCP and TLS lines are framed by octet counts (RFC 6587, RFC 5425).

    Nothing acknowledges a line: taken means written to the socket. A server that goes down may so miss some.
    """

    def __init__(self, config: SyslogConfig, device: str) -> None:
        self._config = config
        self._device = device
        self._target = urlsplit(config.to)
        self._socket: socket.socket  # stands while entered

    def __enter__(self) -> Self:
        try:
            self._socket = self._open()
        except OSError as error:
            raise SinkError(f"{self}: {error.strerror or error}: check the server") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def __str__(self) -> str:
        return f"syslog {self._config.to}" if self._target.scheme else "the journal"

    def turn(self, desk: Desk) -> float:
        alerts = desk.alerts(_AT_ONCE)
        for alert in alerts:
            self._write(alert)
            desk.take(alert)
        return 0.0 if alerts else _IDLE_S

    def _open(self) -> socket.socket:
        scheme, host, port = self._target.scheme, self._target.hostname or "", self._target.port or 0
        if scheme in ("", "unix"):
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            opened.settimeout(_TIMEOUT_S)
            opened.connect(self._target.path if scheme else JOURNAL)
            return opened
        if scheme == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            opened = socket.socket(family, kind, protocol)
            opened.connect(address)
            return opened
        opened = socket.create_connection((host, port), _TIMEOUT_S)
        return opened if scheme == "tcp" else _encrypted(opened, host, self._config.ca)

    def _write(self, alert: Stored) -> None:
        fields = alert.fields()
        framed = self._target.scheme in ("tcp", "tls")
        data = self._line(alert, fields) if self._target.scheme else _entry(alert, fields)
        try:
            if framed and _hung_up(self._socket):
                raise ConnectionResetError("the server hung up")
            self._socket.sendall(b"%d %b" % (len(data), data) if framed else data)
        except OSError as error:
            told = f"{self}: {error.strerror or error}"
            raise (RefusedError if "too long" in told else SinkError)(told) from error

    def _line(self, alert: Stored, fields: Mapping[str, Any]) -> bytes:
        """Write RFC 5424: header, structured data with the number, the text for people."""
        priority = self._config.facility * 8 + _SEVERITY.get(alert.type, 5)
        host = socket.gethostname()[:255] or "-"
        head = f"<{priority}>1 {rfc3339(alert.committed_at)} {host} edgeloupe {os.getpid()} {alert.type[:32]}"
        pairs = {
            "device": self._device,
            "camera": alert.camera,
            "epoch": alert.epoch,
            "seq": alert.seq,
            "alert_id": alert.alert_id,
            "evaluation": fields.get("result_evaluation", ""),
            "evidence": fields.get("evidence") or "",
        }
        data = " ".join(f'{key}="{_escaped(str(value))}"' for key, value in pairs.items())
        return f"{head} [{_SDID} {data}] \ufeff{_text(alert, fields)}".encode(errors="replace")


def _text(alert: Stored, fields: Mapping[str, Any]) -> str:
    reasons = "; ".join(str(reason) for reason in fields.get("reasons") or ())
    text = f"{alert.camera}: {fields.get('result_evaluation', 'alert')} ({alert.type}) {reasons}".strip()
    return "".join(c if c.isprintable() else " " for c in text)


def _entry(alert: Stored, fields: Mapping[str, Any]) -> bytes:
    """Write the journal's own form: lines of KEY=value (systemd's JOURNAL_NATIVE_PROTOCOL)."""
    pairs = {
        "MESSAGE": _text(alert, fields),
        "PRIORITY": str(_SEVERITY.get(alert.type, 5)),
        "SYSLOG_IDENTIFIER": "edgeloupe",
        "EDGELOUPE_CAMERA": alert.camera,
        "EDGELOUPE_EPOCH": alert.epoch,
        "EDGELOUPE_SEQ": str(alert.seq),
        "EDGELOUPE_TYPE": alert.type,
        "EDGELOUPE_ALERT_ID": alert.alert_id,
        "EDGELOUPE_EVALUATION": str(fields.get("result_evaluation", "")),
        "EDGELOUPE_EVIDENCE": json.dumps(fields.get("evidence")),
    }
    lines = (f"{key}={' '.join(value.splitlines())}" for key, value in pairs.items())
    return ("\n".join(lines) + "\n").encode(errors="replace")


def _escaped(value: str) -> str:
    r"""Escape `"`, `\` and `]`, as RFC 5424 section 6.3.3 says."""
    plain = "".join(c if c.isprintable() else " " for c in value)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _hung_up(connection: socket.socket) -> bool:
    """Say whether the server closed its end: then what is written would go nowhere."""
    if isinstance(connection, ssl.SSLSocket):
        return False  # it can't be looked into; writing tells, a line later
    connection.setblocking(False)
    try:
        return connection.recv(4096, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(_TIMEOUT_S)


def _encrypted(plain: socket.socket, host: str, ca: Path | None) -> socket.socket:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        plain.close()
        raise ConfigError(f"{ca}: {error.strerror or error}: give a readable PEM file") from error
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
