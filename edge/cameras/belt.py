"""A conveyor made of pictures: those of a folder laid end to end, passing a camera that stands still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.picture import is_picture, read_picture
from edge.source import split_source

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig
    from edge.picture import Picture

_SIZE = (1024, 512)
_STEPS = 16
"""Frames from one picture to the next."""


class Belt:
    """Shows a window of 1024x512 pixels that moves over the strip of pictures and starts again at its end."""

    simulated = True
    each_counts = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._strip: Picture = np.zeros((0, 0, 3), np.uint8)
        self._at = 0

    def __enter__(self) -> Self:
        try:
            paths = sorted(path for path in self._folder.iterdir() if is_picture(path))
            pictures = [cv2.resize(read_picture(path), _SIZE, interpolation=cv2.INTER_AREA) for path in paths]
        except (OSError, PictureError) as error:
            raise CameraError(f"{self._folder}: {error}") from error
        if not pictures:
            raise CameraError(f"{self._folder}: has no pictures: put JPEG or PNG files into it")
        self._strip = np.hstack([*pictures, pictures[0]]).astype(np.uint8)
        return self

    def __exit__(self, *exc: object) -> None:
        self._strip = np.zeros((0, 0, 3), np.uint8)

    def read(self) -> Shot:
        left = self._at
        self._at = (left + _SIZE[0] // _STEPS) % (self._strip.shape[1] - _SIZE[0])
        return Shot(picture=self._strip[:, left : left + _SIZE[0]])


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Belt:
    """Make the belt for a folder; a belt always goes round."""
    del mqtt
    return Belt(Path(split_source(config.source)[1]))
