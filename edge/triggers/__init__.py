"""Triggers: when a picture is wanted; every other file here is one kind."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig
    from edge.pictures.image import Image

KINDS = ("change", "free", "gpio", "interval", "modbus", "mqtt", "opcua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a trigger wants."""

    wanted: bool = False  # a picture, now
    rest_s: float = 0.0  # surely none for so long: the camera may be closed meanwhile
    trouble: str = ""  # why it can't know, in one line; it tries again by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trigger belongs, for those that hear their name."""

    device: str
    camera: str
    mqtt: MqttConfig | None


class Trigger(Protocol):
    """Says when a picture is wanted. Belongs to the thread of its camera; entering never waits for anybody."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        """Say what is wanted now that `picture` is the newest, None while the camera is closed; never blocks.

        Each call whose answer is `wanted` takes one demand away.
        """
        ...


def create(config: CameraConfig, place: Place) -> Trigger:
    """Make the trigger that `config` describes. Raises ConfigError when it needs what is not configured."""
    trigger: Trigger = import_module(f"edge.triggers.{config.trigger.kind}").create(config.trigger, place)
    return trigger
