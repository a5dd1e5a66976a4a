"""Sink configuration: the settings of each kind of sink but MQTT; a kind is the name of its file in `edge/sinks`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from edge.errors import ConfigError
from edge.strict_yaml import Strict

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Evaluation = Literal["NotOK", "NotDecidable"]


class _WithSecret(Strict):
    secret_file: Path | None = Field(default=None, description="or systemd credential NAME-secret, or the environment")

    def secret(self, name: str) -> str | None:
        """Read the secret of the sink `name`. Raises ConfigError when a file is named that can't be read.

        It stands in `secret_file`, else in systemd's credential `NAME-secret`, else in the environment as
        `EDGELOUPE_NAME_SECRET`; None when it stands nowhere.
        """
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = self.secret_file or (Path(folder) / f"{name}-secret" if folder else None)
        if path is None or (self.secret_file is None and not path.exists()):
            return os.environ.get(f"EDGELOUPE_{name.upper().replace('-', '_')}_SECRET")
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"sinks.{name}.secret_file = {path}: {reason}: give a file that can be read") from error


class RejectConfig(Strict):
    """A pulse that throws a part out, some way behind the camera."""

    camera: str
    distance_mm: Annotated[float, Field(ge=0, le=1e6)] = Field(description="from the camera to the ejector")
    speed_mm_s: Annotated[float, Field(gt=0, le=1e5)] | None = Field(default=None, description="of the line")
    mm_per_count: Annotated[float, Field(gt=0, le=1e4)] | None = Field(
        default=None, description="of an encoder, instead of a speed"
    )
    pulse_s: Annotated[float, Field(gt=0, le=10)] = 0.05
    when: tuple[Evaluation, ...] = Field(default=("NotOK", "NotDecidable"), min_length=1)

    @model_validator(mode="after")
    def _one_measure(self) -> RejectConfig:
        if (self.speed_mm_s is None) == (self.mm_per_count is None):
            raise ValueError("needs either speed_mm_s or mm_per_count")
        return self


class WebhookConfig(_WithSecret):
    """One signed POST per alert."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/\S*)?$")]
    ca: Path | None = Field(default=None, description="authority to trust (PEM); unset: the system's")
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0

    @field_validator("url")
    @classmethod
    def _real_port(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port == 0:  # asking for the port raises ValueError when it is none
            raise ValueError("must name a host, and a port above 0 or none")
        return url


class EmailConfig(_WithSecret):
    """One mail for the alerts that began since the last one, with pictures."""

    kind: Literal["email"]
    host: str
    port: Port | None = Field(default=None, description="unset: 465 with tls implicit, else 587")
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca: Path | None = None
    username: str | None = None
    sender: Annotated[str, Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$")]
    recipients: Annotated[list[Annotated[str, Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$")]], Field(min_length=1)]
    pictures: Annotated[int, Field(ge=0, le=20)] = Field(default=5, description="attached at most")
    every_s: Seconds = Field(default=60.0, description="at most one mail in this time")


class SyslogConfig(Strict):
    """RFC 5424 to a syslog server, or the journal of this machine."""

    kind: Literal["syslog"]
    to: Annotated[str, Field(pattern=r"^(journal|(udp|tcp|tls)://[^\s/@]+:\d{1,5}|unix:/\S+)$")] = "journal"
    ca: Path | None = None
    facility: Annotated[int, Field(ge=0, le=23)] = 16  # local0


class FileConfig(Strict):
    """A file a day, a line an alert."""

    kind: Literal["file"]
    folder: Path
    format: Literal["csv", "ndjson"] = "ndjson"
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(default=None, description="unset: for ever")


class ModbusConfig(Strict):
    """A Modbus TCP server that a PLC reads."""

    kind: Literal["modbus"]
    host: str = "127.0.0.1"
    port: Port = 502
    device_id: Annotated[int, Field(ge=1, le=247)] = 1
    acknowledge: bool = Field(default=False, description="alerts wait one by one until the PLC wrote their number")
    reject: RejectConfig | None = None


class OpcuaConfig(_WithSecret):
    """An OPC UA server with a vision system after OPC 40100-1."""

    kind: Literal["opcua"]
    host: str = "127.0.0.1"
    port: Port = 4840
    username: str | None = Field(default=None, description="unset: anonymous clients, who may only read")
    certificate: Path | None = Field(default=None, description="with key: Basic256Sha256, signed and encrypted, only")
    key: Path | None = None
    reject: RejectConfig | None = None

    @model_validator(mode="after")
    def _whole_pair(self) -> OpcuaConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("needs both certificate and key, or neither")
        if self.reject is not None and self.reject.mm_per_count is not None and self.username is None:
            raise ValueError("reject.mm_per_count needs a username: whoever writes the encoder moves the ejector")
        return self


class GpioConfig(Strict):
    """A reject pulse on a line of a GPIO chip."""

    kind: Literal["gpio"]
    chip: Path = Path("/dev/gpiochip0")
    line: Annotated[int, Field(ge=0, le=1023)]
    active_low: bool = False
    encoder_line: Annotated[int, Field(ge=0, le=1023)] | None = Field(
        default=None, description="rising edges are counts of the encoder"
    )
    reject: RejectConfig

    @model_validator(mode="after")
    def _encoder_for_counts(self) -> GpioConfig:
        if (self.encoder_line is None) != (self.reject.mm_per_count is None):
            raise ValueError("needs both encoder_line and reject.mm_per_count, or neither")
        return self


class SparkplugConfig(Strict):
    """Sparkplug B over the broker of section `mqtt`."""

    kind: Literal["sparkplug"]
    group: Annotated[str, Field(pattern=r"^[^+#/\x00]{1,100}$")]
    primary_host: Annotated[str, Field(pattern=r"^[^+#/\x00]{1,100}$")] | None = Field(
        default=None, description="alerts wait until this host application is online"
    )


class KafkaConfig(_WithSecret):
    """One record per alert, acknowledged by all replicas in sync."""

    kind: Literal["kafka"]
    brokers: Annotated[list[str], Field(min_length=1)]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    tls: bool = False
    ca: Path | None = None
    username: str | None = Field(default=None, description="SASL/SCRAM-SHA-512")


class NatsConfig(_WithSecret):
    """One message per alert into a JetStream stream, acknowledged by it."""

    kind: Literal["nats"]
    servers: Annotated[list[Annotated[str, Field(pattern=r"^(nats|tls)://[^\s@]+$")]], Field(min_length=1)]
    subject: Annotated[str, Field(pattern=r"^[^\s*>.]+(\.[^\s*>.]+)*$")] = "edgeloupe.alerts"
    ca: Path | None = None
    username: str | None = Field(default=None, description="the secret is its password; without a name, a token")


class S3Config(_WithSecret):
    """Evidence pictures and alerts into a bucket."""

    kind: Literal["s3"]
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,63}$")]
    prefix: Annotated[str, Field(pattern=r"^([^/\s]+/)*$")] = ""
    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = Field(
        default=None, description="unset: AWS; else any storage that speaks S3"
    )
    region: str = "us-east-1"
    access_key_id: str | None = Field(default=None, description="the secret is its secret access key")
    clips: bool = Field(default=False, description="videos, too: alerts wait until theirs is there")

    @field_validator("prefix")
    @classmethod
    def _no_way_up(cls, prefix: str) -> str:
        if ".." in prefix.split("/"):
            raise ValueError("must not contain ..")
        return prefix


class SftpConfig(_WithSecret):
    """Evidence and alerts into a folder of an SSH server."""

    kind: Literal["sftp"]
    host: Annotated[str, Field(pattern=r"^[^\s/@]+$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 22
    username: Annotated[str, Field(pattern=r"^\S+$")]
    known_hosts: Path = Field(description="the server's key as ssh-keyscan prints it: no other server is trusted")
    key_file: Path | None = Field(
        default=None, description="private key; the secret is its passphrase, without a key the password"
    )
    folder: Annotated[str, Field(pattern=r"^[^\x00]+$")] = "."
    clips: bool = Field(default=False, description="videos, too: alerts wait until theirs is there")


SinkConfig = Annotated[
    WebhookConfig
    | EmailConfig
    | SyslogConfig
    | FileConfig
    | ModbusConfig
    | OpcuaConfig
    | GpioConfig
    | SparkplugConfig
    | KafkaConfig
    | NatsConfig
    | S3Config
    | SftpConfig,
    Field(discriminator="kind"),
]
