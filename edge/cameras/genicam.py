"""Industrial cameras, GigE Vision and USB3 Vision: through Aravis, or a vendor's GenTL producer where one is given."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np

from edge.cameras import Nothing
from edge.errors import CameraError, CameraStalledError, PictureError
from edge.frame import Shot
from edge.source import split_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.camera_config import CameraConfig
    from edge.cameras import Camera
    from edge.config import MqttConfig
    from edge.picture import Picture

_BUFFERS = 6
_WAIT_S = 0.5
_SOFTWARE = "Software"
_HEAT = "DeviceTemperature"
"""Of the Standard Features Naming Convention, in degrees Celsius."""
_HEAT_S = 2.0
_CONVERSIONS = {
    "Mono8": cv2.COLOR_GRAY2BGR,
    "RGB8": cv2.COLOR_RGB2BGR,
    "RGB8Packed": cv2.COLOR_RGB2BGR,
    "RGBa8": cv2.COLOR_RGBA2BGR,
    "BGRa8": cv2.COLOR_BGRA2BGR,
    "BayerRG8": cv2.COLOR_BayerBG2BGR,  # OpenCV names the second row's second and third pixel
    "BayerBG8": cv2.COLOR_BayerRG2BGR,
    "BayerGR8": cv2.COLOR_BayerGB2BGR,
    "BayerGB8": cv2.COLOR_BayerGR2BGR,
}
_DEEP = {"Mono10": 2, "Mono12": 4, "Mono14": 6, "Mono16": 8}
"""Bits to drop from formats of sixteen-bit words."""


class Aravis:
    """A camera by its name as `edgeloupe cameras` lists it, or `any`."""

    simulated = False
    each_counts = False

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._name = config.source
        self._camera: Any = None  # gi.repository.Aravis.Camera
        self._stream: Any = None
        self._heard = 0.0
        self._awaited = False
        self._heat: float | None = None
        self._felt = float("-inf")
        self.each_counts = config.hardware_trigger is not None
        self.fires = config.hardware_trigger == _SOFTWARE

    def __enter__(self) -> Self:
        library, errors = _aravis(self._name)
        place = split_source(self._name)[1]
        if place.startswith("Fake_"):
            library.enable_interface("Fake")
        try:
            camera = library.Camera.new(None if place == "any" else place)
            _set_up(camera, self._config)
            if camera.is_gv_device():  # raw sockets need a privilege that the service gives up
                camera.gv_set_stream_options(library.GvStreamOption.PACKET_SOCKET_DISABLED)
            stream = camera.create_stream(None, None)
            payload = camera.get_payload()
            if camera.is_gv_device():  # by itself Aravis asks for one picture's room: a busy machine loses packets
                stream.set_property("socket-buffer", library.GvStreamSocketBuffer.FIXED)
                stream.set_property("socket-buffer-size", _BUFFERS * payload)
            for _ in range(_BUFFERS):
                stream.push_buffer(library.Buffer.new_allocate(payload))
            camera.start_acquisition()
        except errors as error:
            raise CameraError(
                f"{self._name}: {error.message}: check power, network and settings; `edgeloupe cameras` lists cameras"
            ) from error
        self._camera, self._stream = camera, stream
        self._heard, self._felt, self._awaited = time.monotonic(), float("-inf"), False
        return self

    def __exit__(self, *exc: object) -> None:
        if self._camera is not None:
            with contextlib.suppress(Exception):  # it may be gone already
                self._camera.stop_acquisition()
        self._camera = self._stream = None  # the last reference closes it

    def read(self) -> Shot | Nothing:
        if self._stream is None:
            raise CameraError(f"{self._name}: is not open")
        if self.fires and not self._awaited:
            return self._alive()
        buffer = self._stream.timeout_pop_buffer(round(_WAIT_S * 1e6))
        if buffer is None:
            return self._silent()
        self._heard, self._awaited = time.monotonic(), False
        try:
            status = buffer.get_status().value_nick
            if status != "success":
                raise PictureError(f"{self._name}: a picture came incomplete ({status}): check the network")
            return self._shot(buffer)
        finally:
            self._stream.push_buffer(buffer)

    def fire(self) -> None:
        _, errors = _aravis(self._name)
        if self._camera is None:
            raise CameraError(f"{self._name}: is not open")
        try:
            self._camera.software_trigger()
        except errors as error:
            raise CameraError(f"{self._name}: {error.message}: check cable and power") from error
        self._heard, self._awaited = time.monotonic(), True

    def _silent(self) -> Nothing:
        if self._config.hardware_trigger is not None and not self._awaited:
            return self._alive()
        if time.monotonic() - self._heard > self._config.patience_s:
            raise CameraStalledError(f"{self._name}: gives no pictures: check cable and power")
        return Nothing.YET

    def _alive(self) -> Nothing:
        """Ask a camera that waits for its trigger for something small: a cable may be out."""
        _, errors = _aravis(self._name)
        try:
            self._camera.get_payload()
        except errors as error:
            raise CameraError(f"{self._name}: {error.message}: check cable and power") from error
        return Nothing.YET

    def _shot(self, buffer: Any) -> Shot:
        width, height = buffer.get_image_width(), buffer.get_image_height()
        form = self._camera.get_pixel_format_as_string()
        data = np.frombuffer(buffer.get_data(), np.uint8)
        stamp_ns = buffer.get_timestamp()
        return Shot(
            picture=to_bgr(data, width, height, form, self._name),
            format=form,
            stamp_s=stamp_ns / 1e9 if stamp_ns else None,
            temperature_c=self._temperature_c(),
        )

    def _temperature_c(self) -> float | None:
        """Ask now and then how hot the camera is; None where it does not tell."""
        now = time.monotonic()
        if now - self._felt >= _HEAT_S:
            _, errors = _aravis(self._name)
            self._felt, self._heat = now, None
            with contextlib.suppress(errors):  # what is wrong with the camera is told by its pictures
                if self._camera.is_feature_available(_HEAT):
                    self._heat = self._camera.get_float(_HEAT)
        return self._heat


def _aravis(name: str) -> tuple[Any, type[Any]]:
    try:
        import gi  # noqa: PLC0415 - comes with the system

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis as library  # noqa: PLC0415, N813
        from gi.repository import GLib  # noqa: PLC0415
    except (ImportError, ValueError) as error:
        raise CameraError(f"{name}: Aravis is not installed: apt install gir1.2-aravis-0.8 python3-gi") from error
    return library, GLib.Error


def _set_up(camera: Any, config: CameraConfig) -> None:
    """Set what the configuration names; raises GLib's error where the camera refuses."""
    form, asked = config.format, config.controls
    if form.pixels is not None:
        camera.set_pixel_format_from_string(form.pixels)
    if form.width is not None or form.height is not None:
        full_width, full_height = camera.get_sensor_size()
        camera.set_region(0, 0, form.width or full_width, form.height or full_height)
    camera.clear_triggers()
    if form.fps is not None:
        camera.set_frame_rate(form.fps)
    if asked.exposure_us is not None:
        camera.set_exposure_time(asked.exposure_us)
    if asked.gain is not None:
        camera.set_gain(asked.gain)
    if config.hardware_trigger is not None:
        camera.set_trigger(config.hardware_trigger)


class Gentl:
    """A camera by its serial number, or `any`, through a vendor's producer."""

    simulated = False

    def __init__(self, config: CameraConfig, producer: Path) -> None:
        self._config = config
        self._name = config.source
        self._producer = producer
        self._harvester: Any = None  # harvesters.core.Harvester
        self._acquirer: Any = None
        self._heard = 0.0
        self._awaited = False
        self.each_counts = config.hardware_trigger is not None
        self.fires = config.hardware_trigger == _SOFTWARE

    def __enter__(self) -> Self:
        try:
            from genicam.genapi import GenericException as MapError  # noqa: PLC0415 - an extra
            from genicam.gentl import GenericException as TransportError  # noqa: PLC0415
            from harvesters.core import Harvester  # noqa: PLC0415
        except ImportError as error:
            raise CameraError(f"{self._name}: harvesters is not installed: pip install 'edgeloupe[genicam]'") from error
        self._harvester = Harvester()
        try:
            self._harvester.add_file(str(self._producer), check_existence=True, check_validity=True)
            self._harvester.update()
            self._acquirer = self._harvester.create(self._choose(self._harvester.device_info_list))
            self._set_up(self._acquirer.remote_device.node_map)
            self._acquirer.start()
        except CameraError:
            self.__exit__()
            raise
        except (OSError, ValueError, AttributeError, MapError, TransportError) as error:
            self.__exit__()
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CameraError(f"{self._name}: {self._producer}: {why}: check producer, camera and settings") from error
        self._heard = time.monotonic()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(Exception):  # whatever it says, it is gone
            if self._acquirer is not None:
                self._acquirer.destroy()
        self._acquirer = None
        with contextlib.suppress(Exception):
            if self._harvester is not None:
                self._harvester.reset()
        self._harvester = None

    def read(self) -> Shot | Nothing:
        if self._acquirer is None:
            raise CameraError(f"{self._name}: is not open")
        from genicam.gentl import GenericException, TimeoutException  # noqa: PLC0415 - an extra

        if self.fires and not self._awaited:
            return Nothing.YET
        try:
            with self._acquirer.fetch(timeout=_WAIT_S) as buffer:
                self._heard, self._awaited = time.monotonic(), False
                part = buffer.payload.components[0]
                data = np.ascontiguousarray(part.data).view(np.uint8)
                picture = to_bgr(data, part.width, part.height, part.data_format, self._name)
                heat = _temperature_c(self._acquirer.remote_device.node_map)
                return Shot(picture=picture, format=part.data_format, stamp_s=_stamp_s(buffer), temperature_c=heat)
        except TimeoutException as error:
            waits = self._config.hardware_trigger is not None and not self._awaited
            if not waits and time.monotonic() - self._heard > self._config.patience_s:
                raise CameraStalledError(f"{self._name}: gives no pictures: check cable and power") from error
            return Nothing.YET
        except GenericException as error:
            raise CameraError(f"{self._name}: {str(error).splitlines()[0]}: check cable and power") from error

    def fire(self) -> None:
        from genicam.genapi import GenericException  # noqa: PLC0415 - an extra

        if self._acquirer is None:
            raise CameraError(f"{self._name}: is not open")
        try:
            self._acquirer.remote_device.node_map.TriggerSoftware.execute()
        except (GenericException, AttributeError) as error:
            raise CameraError(f"{self._name}: can't be triggered by software: {error}") from error
        self._heard, self._awaited = time.monotonic(), True

    def _choose(self, found: Sequence[Any]) -> int:
        place = split_source(self._name)[1]
        for number, info in enumerate(found):
            if place in ("any", info.id_, info.serial_number):
                return number
        raise CameraError(f"{self._name}: the producer sees {[info.id_ for info in found]}: name one of them")

    def _set_up(self, nodes: Any) -> None:
        """Set what the configuration names by GenICam's standard feature names (SFNC)."""
        form, asked = self._config.format, self._config.controls
        values: dict[str, Any] = {
            "PixelFormat": form.pixels,
            "Width": form.width,
            "Height": form.height,
            "AcquisitionFrameRate": form.fps,
        }
        if asked.exposure_us is not None:
            values |= {"ExposureAuto": "Off", "ExposureTime": asked.exposure_us}
        if asked.gain is not None:
            values |= {"GainAuto": "Off", "Gain": asked.gain}
        if self._config.hardware_trigger is not None:
            values |= {"TriggerMode": "On", "TriggerSource": self._config.hardware_trigger}
        for name, value in values.items():
            if value is None or (name.endswith("Auto") and not hasattr(nodes, name)):
                continue
            if not hasattr(nodes, name):
                raise CameraError(f"{self._name}: this camera has no {name}")
            getattr(nodes, name).value = value


def _temperature_c(nodes: Any) -> float | None:
    from genicam.genapi import GenericException  # noqa: PLC0415 - an extra

    try:
        return float(nodes.DeviceTemperature.value)
    except (GenericException, AttributeError):
        return None


def _stamp_s(buffer: Any) -> float | None:
    from genicam.gentl import GenericException  # noqa: PLC0415 - an extra

    try:
        return float(buffer.timestamp_ns) / 1e9
    except (GenericException, TypeError):
        return None


def to_bgr(data: NDArray[np.uint8], width: int, height: int, form: str, name: str) -> Picture:
    """Convert a buffer in GenICam's format `form` to (H, W, 3) BGR. Raises CameraError for one not known here."""
    if form in _DEEP:
        words = data[: 2 * width * height].view(np.uint16).reshape(height, width)
        data, form = (words >> _DEEP[form]).astype(np.uint8).ravel(), "Mono8"
    if form in ("BGR8", "BGR8Packed"):
        return data[: 3 * width * height].reshape(height, width, 3).copy()
    if form not in _CONVERSIONS:
        raise CameraError(f"{name}: gives {form}: set format.pixels to one of {', '.join((*_CONVERSIONS, *_DEEP))}")
    pixels = data[: data.size // (width * height) * width * height].reshape(height, width, -1)
    return np.asarray(cv2.cvtColor(pixels, _CONVERSIONS[form]), np.uint8)


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Camera:
    """Make the camera; it is opened on entering."""
    del mqtt
    return Aravis(config) if config.producer is None else Gentl(config, config.producer)
