"""Sinks by name: who delivers alerts; every other file here is one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, Self

from edge.errors import ConfigError
from edge.evidence.arrival import Arrival
from edge.mqtt.link import Backoff
from edge.outputs.courier import Courier, Peer, SinkStatus

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from edge.clock import Clock
    from edge.config import Config, MqttConfig
    from edge.sink_config import SinkConfig

__all__ = ["KINDS", "Sink", "SinkStatus", "Site", "create", "make_peer"]

KINDS = (
    "webhook", "email", "syslog", "file", "modbus", "opcua", "gpio", "sparkplug", "kafka", "nats", "s3", "sftp"
)  # fmt: skip
"""All but MQTT, which the daemon opens itself. A kind that needs more packages has them in the extra of its name."""

_BACKOFF = Backoff()


class Sink(Protocol):
    """Delivers the outbox's alerts from a thread of its own; every method may be called from any thread."""

    def __enter__(self) -> Self:
        """Start. Raises OutboxError or ConfigError; an unreachable other side is no error but a status."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Say goodbye and stop within seconds; what is not delivered stays in the outbox."""
        ...

    def wake(self) -> None:
        """Tell that alerts were committed; never blocks."""
        ...

    def status(self) -> SinkStatus:
        """Say how delivery goes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a sink may need to know of the device it stands in."""

    device: str
    cameras: tuple[str, ...]
    state_dir: Path
    clock: Clock
    mqtt: MqttConfig | None = None
    clip_s: float = 0.0  # the most that any camera's clip goes on after its alert

    @classmethod
    def of(cls, config: Config, clock: Clock) -> Self:
        """Take it from the device's configuration."""
        return cls(
            device=config.device,
            cameras=tuple(config.cameras),
            state_dir=config.storage.state_dir,
            clock=clock,
            mqtt=config.mqtt,
            clip_s=max(camera.clip.after_s for camera in config.cameras.values()),
        )

    @property
    def evidence(self) -> Path:
        """The folder of pictures; an alert's `evidence` is relative to it."""
        return self.state_dir / "evidence"

    def arrival(self, *, clips: bool = False) -> Arrival:
        """Give what knows when evidence is there, and which files are wanted."""
        return Arrival(self.evidence, self.clock, self.clip_s if clips else None)


def create(name: str, config: SinkConfig, site: Site, backoff: Backoff = _BACKOFF) -> Courier:
    """Make the sink `name`. Raises ConfigError when a setting is wrong or a package is not installed."""
    make_peer(name, config, site)
    return Courier(
        name,
        lambda: make_peer(name, config, site),
        outbox_path=site.state_dir / "outbox.sqlite",
        clock=site.clock,
        pause_s=backoff.delay_s,
    )


def make_peer(name: str, config: SinkConfig, site: Site) -> Peer:
    """Make the other side of the sink `name`; entering it connects. Raises ConfigError as `create` does."""
    try:
        module: Any = import_module(f"edge.sinks.{config.kind}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"sinks.{name}: package {error.name!r} is not installed: pip install 'edgeloupe[{config.kind}]'"
        ) from error
    peer: Peer = module.create(name, config, site)
    return peer
