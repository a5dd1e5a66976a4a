"""USB and CSI cameras through Video4Linux, by OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.errors import CameraError

if TYPE_CHECKING:
    from edge.frame import Picture


class V4l2:
    """One `/dev/videoN`; the driver keeps a single buffer, so that pictures are fresh."""

    simulated = False

    def __init__(self, device: Path) -> None:
        self._device = device
        self._capture: cv2.VideoCapture | None = None

    def __enter__(self) -> Self:
        if not self._device.exists():
            raise CameraError(f"{self._device}: does not exist: plug the camera in, or see `ls /dev/video*`")
        capture = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraError(
                f"{self._device}: can't be opened as a camera: is another program using it, "
                "and may this user (group video)?"
            )
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture
        return self

    def __exit__(self, *exc: object) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def read(self) -> Picture | None:
        if self._capture is None:
            raise CameraError(f"{self._device}: is not open")
        ok, picture = self._capture.read()
        if not ok:
            raise CameraError(f"{self._device}: gave no picture: check cable and power")
        return np.asarray(picture, np.uint8)


def create(rest: str, *, loop: bool) -> V4l2:
    """Make the camera for the device path `rest`; it is opened on entering."""
    del loop  # a lens has no end
    return V4l2(Path(rest))
