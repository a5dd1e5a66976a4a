"""Attached: the cameras that this machine sees, with what they give and can be set to."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.v4l2_info import device_info

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One camera, as a configuration would name it."""

    source: str
    name: str
    formats: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """Write as plain values."""
        return asdict(self)


def attached() -> list[Found]:
    """List what is there; kinds whose library is not installed are left out."""
    return [*_v4l2(), *_picamera2(), *_aravis()]


def _v4l2() -> Iterator[Found]:
    for device in sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name)):
        source = f"v4l2:{device}"
        try:
            info = device_info(device)
        except OSError as error:
            yield Found(source=source, name=f"can't be asked: {error.strerror}")
            continue
        if info is not None:
            controls = tuple(str(control) for control in info.controls)
            yield Found(source=source, name=info.name, formats=info.formats, controls=controls)


def _picamera2() -> Iterator[Found]:
    with contextlib.suppress(ImportError):
        from picamera2 import Picamera2  # noqa: PLC0415 - comes with the Pi's system

        for number, info in enumerate(Picamera2.global_camera_info()):
            yield Found(source=f"picamera2:{number}", name=f"{info.get('Model', 'camera')} at {info.get('Location')}")


def _aravis() -> Iterator[Found]:
    with contextlib.suppress(ImportError, ValueError):
        import gi  # noqa: PLC0415 - comes with the system

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis, GLib  # noqa: PLC0415

        Aravis.update_device_list()
        for number in range(Aravis.get_n_devices()):
            source = f"genicam:{Aravis.get_device_id(number)}"
            name = f"{Aravis.get_device_vendor(number)} {Aravis.get_device_model(number)}"
            try:
                camera = Aravis.Camera.new(Aravis.get_device_id(number))
                width, height = camera.get_sensor_size()
                formats = tuple(f"{form} {width}x{height}" for form in camera.dup_available_pixel_formats_as_strings())
                yield Found(source=source, name=name, formats=formats, controls=tuple(_bounds(camera, GLib.Error)))
            except GLib.Error as error:
                yield Found(source=source, name=f"{name}: can't be asked: {error.message}")


def _bounds(camera: Any, errors: type[Exception]) -> Iterator[str]:
    for name, ask in (("exposure_us", camera.get_exposure_time_bounds), ("gain", camera.get_gain_bounds)):
        with contextlib.suppress(errors):
            low, high = ask()
            yield f"{name}: {low:g} to {high:g}"
