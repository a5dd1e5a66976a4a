"""Straighten: pictures before anything looks at them: light, lens, perspective, rotation, crop."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import cv2
import numpy as np

from edge.errors import CameraError, ConfigError, PictureError
from edge.geometry import calibration
from edge.picture import read_picture
from edge.pictures.image import bgr, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.camera_config import GeometryConfig
    from edge.picture import Picture
    from edge.pictures.image import Image

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_GAIN_ONE = 128
"""Fixed point of the flat field's gains: 128 is 1, 255 almost 2."""
_DARKEST = 16.0


class Geometry:
    """Applies one camera's corrections; files are read once, at the start."""

    def __init__(self, config: GeometryConfig) -> None:
        """Read what `config` names. Raises ConfigError."""
        self._config = config
        self._gain = None if config.flat_field is None else _gain(config)
        self._calibration = None if config.calibration is None else calibration.load(config.calibration)
        self._maps = None if self._calibration is None else calibration.maps(self._calibration)

    @property
    def mm_per_px(self) -> float | None:
        """Scale of the straightened picture; None when it is not known."""
        return None if self._calibration is None else self._calibration.mm_per_px

    @property
    def straight(self) -> bool:
        """Say that pictures are left as they are."""
        return not self._bends and self._config.crop is None

    @property
    def _bends(self) -> bool:
        return self._gain is not None or self._maps is not None or self._config.rotate != 0

    @overload
    def apply(self, image: Picture) -> Picture: ...
    @overload
    def apply(self, image: Image) -> Image: ...
    def apply(self, image: Image) -> Image:
        """Straighten one picture. Raises CameraError when its size does not fit the files."""
        if self._bends:
            image = self._bend(bgr(image))
        if self._config.crop is not None:
            x, y, width, height = self._config.crop
            if x + width > image.shape[1] or y + height > image.shape[0]:
                raise CameraError(
                    f"geometry.crop = {[x, y, width, height]}: does not lie within {image.shape[1]}x{image.shape[0]}"
                )
            image = cut(image, x, y, width, height)
        return image

    def _bend(self, picture: Picture) -> Picture:
        if self._gain is not None:
            if self._gain.shape != picture.shape:
                raise CameraError(self._misfit("flat_field", self._gain.shape, picture))
            picture = np.asarray(cv2.multiply(picture, self._gain, scale=1 / _GAIN_ONE), np.uint8)
        if self._maps is not None and self._calibration is not None:
            made = self._calibration
            if picture.shape[:2] != (made.height, made.width):
                raise CameraError(self._misfit("calibration", (made.height, made.width), picture))
            picture = np.asarray(cv2.remap(picture, *self._maps, cv2.INTER_LINEAR), np.uint8)
        if self._config.rotate:
            picture = np.asarray(cv2.rotate(picture, _TURNS[self._config.rotate]), np.uint8)
        return picture

    def _misfit(self, key: str, made: tuple[int, ...], picture: Picture) -> str:
        return (
            f"geometry.{key}: was made from pictures of {made[1]}x{made[0]}, the camera gives "
            f"{picture.shape[1]}x{picture.shape[0]}: set cameras.NAME.format, or make it anew"
        )


def _gain(config: GeometryConfig) -> NDArray[np.uint8]:
    """Turn the picture of a white sheet into gains that make it even, per pixel and channel."""
    path = config.flat_field
    if path is None:
        raise ConfigError("geometry.flat_field: is missing")
    try:
        white = cv2.GaussianBlur(read_picture(path), (0, 0), 5).astype(np.float32)
    except PictureError as error:
        raise ConfigError(f"geometry.flat_field: {error}") from error
    if float(white.min()) < _DARKEST or float(np.percentile(white, 99)) > 254:
        raise ConfigError(f"geometry.flat_field: {path}: is too dark or overexposed: aim for grey levels around 180")
    gains = white.reshape(-1, 3).mean(axis=0) / white
    return np.asarray(np.clip(np.rint(gains * _GAIN_ONE), 1, 255), np.uint8)
