"""Pictures from a folder, in the order of their names, or from a video file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.cameras import Nothing
from edge.errors import CameraError
from edge.frame import Shot, is_picture, read_picture
from edge.source import split_source

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.cameras import Camera
    from edge.config import MqttConfig


class Folder:
    """Every picture of a folder once, or round and round."""

    simulated = True
    each_counts = True

    def __init__(self, path: Path, *, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._waiting: list[Path] = []
        self._readable = False

    def __enter__(self) -> Self:
        self._waiting = self._list()
        return self

    def __exit__(self, *exc: object) -> None:
        self._waiting = []

    def read(self) -> Shot | Nothing:
        if not self._waiting:
            if not (self._loop and self._readable):
                return Nothing.MORE
            self._waiting = self._list()
        picture = read_picture(self._waiting.pop(0))
        self._readable = True
        return Shot(picture=picture)

    def _list(self) -> list[Path]:
        found = sorted(path for path in self._path.iterdir() if is_picture(path))
        if not found:
            raise CameraError(f"{self._path}: has no pictures: put JPEG or PNG files into it")
        return found


class Video:
    """A video file, decoded by OpenCV's FFmpeg."""

    simulated = True
    each_counts = True

    def __init__(self, path: Path, *, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._capture: cv2.VideoCapture | None = None

    def __enter__(self) -> Self:
        self._capture = self._open()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def read(self) -> Shot | Nothing:
        if self._capture is None:
            raise CameraError(f"{self._path}: is not open")
        ok, picture = self._capture.read()
        if not ok and self._loop:
            self._capture.release()
            self._capture = self._open()
            ok, picture = self._capture.read()
        return Shot(picture=np.asarray(picture, np.uint8)) if ok else Nothing.MORE

    def _open(self) -> cv2.VideoCapture:
        if not self._path.exists():
            raise CameraError(f"{self._path}: does not exist: give a folder of pictures or a video file")
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise CameraError(f"{self._path}: can't be decoded: give a video such as H.264 in MP4, or a folder")
        return capture


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Camera:
    """Make a folder or video source; it is opened on entering."""
    del mqtt
    path = Path(split_source(config.source)[1]).expanduser()
    return Folder(path, loop=config.loop) if path.is_dir() else Video(path, loop=config.loop)
