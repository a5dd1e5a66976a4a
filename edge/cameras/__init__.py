"""Cameras by URL scheme; every other file here is one kind of source."""

from __future__ import annotations

from enum import Enum, auto
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from edge.source import SCHEMES, split_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig
    from edge.frame import Shot


class Nothing(Enum):
    """Why there is no picture."""

    YET = auto()  # the source is sound and waits for somebody: a sender, a hardware trigger
    MORE = auto()  # the source has ended


class Camera(Protocol):
    """One source of pictures. Owned by one thread of a process that may be killed at any moment.

    Used as a context manager: entering opens the source and raises CameraError when it can't.
    """

    simulated: bool  # pictures come from a file, not from a lens, and results say so
    each_counts: bool  # none may be skipped: the source waits; otherwise the newest counts

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def read(self) -> Shot | Nothing:
        """Wait for the next picture, at most a second where it comes when others like.

        Raises:
            PictureError: this one is damaged; the next may be sound.
            CameraError: the source must be opened again.
        """
        ...


@runtime_checkable
class Fireable(Protocol):
    """What a camera has besides, whose shutter a program may release."""

    fires: bool  # it is set to take pictures only then

    def fire(self) -> None:
        """Have it take the picture that is read next. Raises CameraError."""
        ...


def release_of(camera: Camera) -> Callable[[], None] | None:
    """Give what makes a camera take its next picture; None where pictures come without."""
    return camera.fire if isinstance(camera, Fireable) and camera.fires else None


def create(config: CameraConfig, mqtt: MqttConfig | None = None) -> Camera:
    """Make the camera that `config` describes; nothing is opened yet. `mqtt` is the broker, for who listens there."""
    scheme, _ = split_source(config.source)
    camera: Camera = import_module(f"edge.cameras.{SCHEMES[scheme]}").create(config, mqtt)
    return camera
