"""Planes: a picture as video decoders give it, luma and chroma of half the size; only what is wanted becomes BGR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, Self

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.mask import Plane
    from edge.picture import Picture

Matrix = Literal["bt601", "bt709"]

_WEIGHTS: dict[Matrix, tuple[float, float]] = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Of red and of blue in luma: Recommendations ITU-R BT.601 and BT.709."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planes:
    """One picture as YUV 4:2:0; rows may lie apart, as decoders lay them."""

    y: Plane  # (H, W)
    u: Plane  # half of each, rounded up
    v: Plane
    full_range: bool = False  # 0 to 255, as in JPEG; otherwise luma is 16 to 235 and chroma 16 to 240
    matrix: Matrix = "bt601"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the picture they make."""
        return (*self.y.shape, 3)

    def bgr(self) -> Picture:
        """Convert the whole picture."""
        height, width = self.y.shape
        u, v = (_wide(plane).repeat(2, axis=0)[:height, :width] for plane in (self.u, self.v))
        return self.coloured(cv2.merge((self.y, u, v)))

    def rows(self, numbers: NDArray[np.intp]) -> Picture:
        """Convert some rows."""
        width = self.y.shape[1]
        u, v = (_wide(plane[numbers // 2])[:, :width] for plane in (self.u, self.v))
        return self.coloured(cv2.merge((self.y[numbers], u, v)))

    def points(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Picture:
        """Convert the pixels where some rows and some columns cross."""
        u, v = (plane[rows // 2].take(columns // 2, axis=1) for plane in (self.u, self.v))
        return self.coloured(cv2.merge((self.y[rows].take(columns, axis=1), u, v)))

    def coloured(self, samples: cv2.typing.MatLike) -> Picture:
        """Convert samples, luma and both chroma in the last place of (h, w, 3), to BGR."""
        return np.asarray(cv2.transform(samples, _to_bgr(self.matrix, self.full_range)), np.uint8)

    def grey(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spread luma over 0 to 255."""
        return y if self.full_range else (y - 16) * np.float32(255 / 219)

    def cut(self, x: int, y: int, width: int, height: int) -> Self:
        """Give a rectangle, without copying; its corner must lie on even numbers."""
        luma = (slice(y, y + height), slice(x, x + width))
        chroma = (slice(y // 2, (y + height + 1) // 2), slice(x // 2, (x + width + 1) // 2))
        return replace(self, y=self.y[luma], u=self.u[chroma], v=self.v[chroma])

    def copy(self) -> Self:
        """Give planes of their own memory."""
        return replace(self, y=self.y.copy(), u=self.u.copy(), v=self.v.copy())


def _wide(plane: Plane) -> Plane:
    """Double the columns."""
    return np.asarray(cv2.merge((plane, plane)), np.uint8).reshape(len(plane), -1)


@cache
def _to_bgr(matrix: Matrix, full_range: object) -> NDArray[np.float64]:
    red, blue = _WEIGHTS[matrix]
    green = 1 - red - blue
    black, luma, chroma = (0.0, 1.0, 1.0) if full_range else (16.0, 255 / 219, 255 / 224)
    factors = np.array(
        [
            [luma, chroma * 2 * (1 - blue), 0],
            [luma, -chroma * 2 * blue * (1 - blue) / green, -chroma * 2 * red * (1 - red) / green],
            [luma, 0, chroma * 2 * (1 - red)],
        ]
    )
    return np.column_stack((factors, -factors @ (black, 128, 128)))
