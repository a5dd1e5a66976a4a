"""USB and CSI cameras through Video4Linux, by OpenCV."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.errors import CameraError
from edge.frame import Packet, Shot
from edge.pictures.jpeg import open_jpeg
from edge.pictures.raw import RAW_FORMATS, to_planes
from edge.source import split_source
from edge.v4l2_info import turn_off_autogain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig

_MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL
_EXPOSURE_UNIT_US = 100  # of V4L2_CID_EXPOSURE_ABSOLUTE
_WHY = {
    errno.ENOENT: "does not exist: plug the camera in, or see `edgeloupe cameras`",
    errno.EACCES: "this user may not open it: add the user to the group video",
    errno.EBUSY: "another program uses it: stop that one",
    errno.ENODEV: "was unplugged: plug it in again",
}


class V4l2:
    """One `/dev/videoN`; the driver keeps a single buffer, so that pictures are fresh."""

    simulated = False
    each_counts = False

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._device = Path(split_source(config.source)[1])
        self._capture: cv2.VideoCapture | None = None
        self._format = ""
        self._size = (0, 0)

    def __enter__(self) -> Self:
        _probe(self._device)
        capture = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise CameraError(f"{self._device}: can't be opened as a camera: is another program using it?")
        self._capture = capture
        try:
            self._set(capture)
        except CameraError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def read(self) -> Shot:
        if self._capture is None:
            raise CameraError(f"{self._device}: is not open")
        ok, data = self._capture.read()
        if not ok:
            raise CameraError(f"{self._device}: gave no picture: check cable and power")
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        stamp = stamp_s if stamp_s > 0 else None
        if self._format in RAW_FORMATS:
            planes = to_planes(np.asarray(data, np.uint8), self._format, *self._size)
            return Shot(picture=planes, format=self._format, stamp_s=stamp)
        if self._format != "MJPG":
            return Shot(picture=np.asarray(data, np.uint8), format=self._format, stamp_s=stamp)
        encoded = np.asarray(data, np.uint8).tobytes()
        picture = open_jpeg(encoded, str(self._device))
        height, width = picture.shape[:2]
        packet = Packet(codec="mjpeg", data=encoded, key=True, width=width, height=height)
        return Shot(picture=picture, format=self._format, stamp_s=stamp, packet=packet)

    def _set(self, capture: cv2.VideoCapture) -> None:
        asked = self._config.format
        if asked.pixels is not None:
            if len(asked.pixels) != 4:
                raise CameraError(f"format.pixels = {asked.pixels}: V4L2 names formats by four letters, such as MJPG")
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*asked.pixels))
        sides = (
            ("width", cv2.CAP_PROP_FRAME_WIDTH, asked.width),
            ("height", cv2.CAP_PROP_FRAME_HEIGHT, asked.height),
        )
        for _, prop, value in sides:  # takes effect once both are set
            capture.set(prop, value or capture.get(prop))
        for name, prop, value in sides:
            if value is not None and round(capture.get(prop)) != value:
                raise CameraError(
                    f"{self._device}: format.{name} = {value}: it gives {capture.get(prop):.0f}: "
                    "`edgeloupe cameras` lists what it can"
                )
        if asked.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, asked.fps)
        self._format = _name(int(capture.get(cv2.CAP_PROP_FOURCC)))
        if asked.pixels is not None and self._format != asked.pixels:
            raise CameraError(
                f"{self._device}: format.pixels = {asked.pixels}: it gives {self._format}: "
                "`edgeloupe cameras` lists what it can"
            )
        self._size = (round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if self._format in ("MJPG", *RAW_FORMATS):  # as it comes: OpenCV decodes JPEGs that are cut off, too
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if self._config.controls.gain is not None:
            turn_off_autogain(self._device)
        for name, settings in _controls(self._config):
            if not all(capture.set(prop, value) for prop, value in settings):
                raise CameraError(
                    f"controls.{name}: {self._device} can't be set so: `edgeloupe cameras` lists what it can"
                )


def _controls(config: CameraConfig) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Give what must be set, automatic off before the value."""
    asked = config.controls
    if asked.exposure_us is not None:
        value = asked.exposure_us / _EXPOSURE_UNIT_US
        yield "exposure_us", [(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE), (cv2.CAP_PROP_EXPOSURE, value)]
    if asked.gain is not None:
        yield "gain", [(cv2.CAP_PROP_GAIN, asked.gain)]
    if asked.white_balance_k is not None:
        yield "white_balance_k", [(cv2.CAP_PROP_AUTO_WB, 0), (cv2.CAP_PROP_WB_TEMPERATURE, asked.white_balance_k)]
    if asked.focus is not None:
        yield "focus", [(cv2.CAP_PROP_AUTOFOCUS, 0), (cv2.CAP_PROP_FOCUS, asked.focus)]


def _probe(device: Path) -> None:
    """Open the device once by hand: OpenCV does not say why it can't."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        why = _WHY.get(error.errno or 0, f"{error.strerror}: check cable and power")
        raise CameraError(f"{device}: {why}") from error


def _name(fourcc: int) -> str:
    return bytes((fourcc >> shift) & 0xFF for shift in (0, 8, 16, 24)).decode("ascii", "replace").strip("\0 ")


def create(config: CameraConfig, mqtt: MqttConfig | None) -> V4l2:
    """Make the camera for a device path; it is opened on entering."""
    del mqtt
    return V4l2(config)
