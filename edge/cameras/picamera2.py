"""Raspberry Pi cameras through picamera2: the lores YUV stream, settings locked, the sensor's own time stamps."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

from edge.errors import CameraError, CameraStalledError
from edge.frame import Shot
from edge.pictures.planes import Planes
from edge.source import split_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig

_SIZE = (1280, 720)
_BUFFERS = 4
PLANAR = ("YUV420", "NV12")
_HD = (1280, 720)
"""Picamera2 chooses the colours of video by size: BT.709 from here on, in limited range like the other."""


class Picamera2:
    """Camera number N of libcamera. One request is out at a time: requests that are kept starve the camera."""

    simulated = False
    each_counts = False

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._name = config.source
        self._camera: Any = None  # picamera2.Picamera2
        self._form = PLANAR[0]
        self._size = (config.format.width or _SIZE[0], config.format.height or _SIZE[1])

    def __enter__(self) -> Self:
        try:
            from picamera2 import Picamera2 as Device  # noqa: PLC0415 - comes with the Pi's system
        except ImportError as error:
            raise CameraError(f"{self._name}: picamera2 is not installed: apt install python3-picamera2") from error
        try:
            number = int(split_source(self._name)[1])
        except ValueError as error:
            raise CameraError(f"{self._name}: write the camera's number, such as picamera2:0") from error
        found = Device.global_camera_info()
        if not 0 <= number < len(found):
            raise CameraError(f"{self._name}: libcamera sees {len(found)} cameras: check the ribbon cable")
        try:
            self._camera = Device(number)
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": self._size},
                    lores={"size": self._size, "format": "YUV420"},
                    buffer_count=_BUFFERS,
                    controls=controls(self._config),
                )
            )
            self._form = _form(self._camera)
            self._camera.start()
        except (RuntimeError, ValueError, OSError, IndexError) as error:
            self.__exit__()
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CameraError(
                f"{self._name}: {why}: is another program using it, and can it give this size?"
            ) from error
        return self

    def __exit__(self, *exc: object) -> None:
        if self._camera is not None:
            with contextlib.suppress(Exception):  # whatever it says, it is gone
                self._camera.close()
            self._camera = None

    def read(self) -> Shot:
        if self._camera is None:
            raise CameraError(f"{self._name}: is not open")
        patience_s = self._config.patience_s
        try:
            request = self._camera.capture_request(wait=patience_s)
        except TimeoutError as error:
            raise CameraStalledError(
                f"{self._name}: no picture for {patience_s:.1f} s: check the ribbon cable"
            ) from error
        try:
            planes = request.make_array("lores")
            metadata = request.get_metadata()
        finally:
            request.release()
        stamp = metadata.get("SensorTimestamp")
        return Shot(
            picture=to_planes(planes, *self._size, self._form),
            format=self._form,
            taken_mono_s=None if stamp is None else from_boot_time(stamp),
            temperature_c=metadata.get("SensorTemperature"),
        )


def _form(camera: Any) -> str:
    """Give the format that libcamera chose in the end, which need not be the one asked for."""
    form = str(camera.camera_configuration()["lores"]["format"])
    if form not in PLANAR:
        raise ValueError(f"gives {form}, not {' or '.join(PLANAR)}")
    return form


def controls(config: CameraConfig) -> dict[str, Any]:
    """Write the settings as libcamera's controls; what is set by hand is locked."""
    asked = config.controls
    found: dict[str, Any] = {}
    if config.format.fps is not None:
        found["FrameRate"] = config.format.fps
    if asked.exposure_us is not None or asked.gain is not None:
        found["AeEnable"] = False
    if asked.exposure_us is not None:
        found["ExposureTime"] = round(asked.exposure_us)
    if asked.gain is not None:
        found["AnalogueGain"] = asked.gain
    if asked.white_balance_gains is not None:
        found |= {"AwbEnable": False, "ColourGains": asked.white_balance_gains}
    elif asked.white_balance_k is not None:
        found |= {"AwbEnable": False, "ColourTemperature": asked.white_balance_k}
    if asked.focus is not None:
        found |= {"AfMode": 0, "LensPosition": asked.focus}  # libcamera's AfModeManual
    return found


def to_planes(lores: NDArray[np.uint8], width: int, height: int, form: str = "YUV420") -> Planes:
    """Name the parts of planar YUV 4:2:0, (H * 3 / 2, stride) with rows padded to the stride.

    YUV420 has its chroma in planes of half the stride, nothing of which is copied; NV12 has it side by side.
    """
    stride = lores.shape[1]
    chroma = lores[height : height * 3 // 2]
    if form == "NV12":
        u, v = (chroma[:, first:width:2] for first in (0, 1))
    else:
        u, v = chroma.reshape(2, -1, stride // 2)[:, : height // 2, : width // 2]
    small = width < _HD[0] or height < _HD[1]
    return Planes(y=lores[:height, :width], u=u, v=v, matrix="bt601" if small else "bt709")


def from_boot_time(stamp_ns: int) -> float:
    """Turn a time of the clock that counts through sleep into one of the monotonic clock, in seconds."""
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - stamp_ns / 1e9
    return time.monotonic() - max(age_s, 0.0)


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Picamera2:
    """Make the camera; it is opened on entering."""
    del mqtt
    return Picamera2(config)
