"""Look: a few figures of one picture that tell whether lens, light and sensor are as they should be."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.pictures.image import decoded
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.picture import Picture
    from edge.pictures.image import Image

_SAMPLES = 12_000
"""Pixels looked at for light and colour: a grid over the whole picture."""
_BANDS, _ROWS = 5, 4
"""Bands of whole rows looked at for sharpness: only neighbours tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one picture looks. Grey levels 0 to 255."""

    brightness: float
    colour: tuple[float, float, float]  # mean blue, green, red
    contrast: float  # standard deviation
    step: float  # mean square difference of neighbours in a row, in squared grey levels
    rise: float  # the same of neighbours in a column
    variance: float  # of the same pixels
    content: int  # equal for equal pictures

    @property
    def correlation(self) -> float:
        """Correlation of neighbouring pixels in the better direction: optics make it near 1, noise alone near 0."""
        return 1.0 - min(self.step, self.rise) / (2.0 * self.variance) if self.variance > 0 else 1.0

    @property
    def sharpness(self) -> float:
        """Share of the variance that lies between neighbours; does not change with the light."""
        return self.step / self.variance if self.variance > 0 else 0.0


def look_at(picture: Image) -> Look:
    """Measure one picture, by what was decoded of it; costs the same for every size."""
    seen = decoded(picture)
    height, width = seen.shape[:2]
    stride = max(1, round(math.sqrt(height * width / _SAMPLES)))
    grid = _grid(seen, stride)
    mean, deviation = cv2.meanStdDev(grid)
    bands = _bands(seen)
    step = cv2.norm(bands[:, :-1], bands[:, 1:], cv2.NORM_L2SQR) / max(bands[:, 1:].size, 1)
    rise = cv2.norm(bands[:-1], bands[1:], cv2.NORM_L2SQR) / max(bands[1:].size, 1)
    variance = float(cv2.meanStdDev(bands)[1][0, 0]) ** 2
    blue, green, red = (float(value) for value in mean[:, 0])
    return Look(
        brightness=(blue + green + red) / 3,
        colour=(blue, green, red),
        contrast=float(deviation.mean()),
        step=step,
        rise=rise,
        variance=variance,
        content=zlib.crc32(bands.data, zlib.crc32(grid.data)),
    )


def _grid(seen: Picture | Planes, stride: int) -> Picture:
    """Give pixels that lie `stride` apart."""
    if not isinstance(seen, Planes):
        return np.ascontiguousarray(seen[stride // 2 :: stride, stride // 2 :: stride])
    rows, columns = (np.arange(stride // 2, size, stride) for size in seen.y.shape)
    return seen.points(rows, columns)


def _bands(seen: Picture | Planes) -> NDArray[np.uint8]:
    """Cut bands of rows out of the green plane, evenly over the height; (R, W) uint8."""
    height = len(seen.y) if isinstance(seen, Planes) else len(seen)
    tops = [round((height - _ROWS) * (band + 0.5) / _BANDS) for band in range(_BANDS)]
    some = height > _BANDS * _ROWS
    rows = np.concatenate([np.arange(top, top + _ROWS) for top in tops]) if some else np.arange(height)
    return np.ascontiguousarray(seen.rows(rows)[..., 1] if isinstance(seen, Planes) else seen[rows, :, 1])
