"""Image: a picture in whichever form it came, and what everybody needs to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from edge.picture import Picture
from edge.pictures.jpeg import Jpeg, Reduced
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Image: TypeAlias = Picture | Planes | Reduced
"""A decoded picture. Each has `shape`, that of the whole picture as (H, W, 3), and `copy`."""


def bgr(image: Image | Jpeg) -> Picture:
    """Give all pixels, (H, W, 3) uint8 BGR: costs milliseconds unless they are there already. Raises PictureError."""
    return image if isinstance(image, np.ndarray) else image.bgr()


def decoded(image: Image) -> Picture | Planes:
    """Give what was decoded of it, perhaps smaller than the whole."""
    return image.small if isinstance(image, Reduced) else image


def cut(image: Image, x: int, y: int, width: int, height: int) -> Picture | Planes:
    """Give a rectangle that lies within; nothing is copied where that can be avoided. Raises PictureError."""
    whole = image.bgr() if isinstance(image, Reduced) else image
    if not isinstance(whole, Planes):
        return whole[y : y + height, x : x + width]
    if x % 2 or y % 2:  # chroma lies between
        return whole.points(np.arange(y, y + height), np.arange(x, x + width))
    return whole.cut(x, y, width, height)


def grey(image: Image, width: int, height: int) -> NDArray[np.float32]:
    """Reduce to a small grey picture, (height, width), 0 to 255, by averages."""
    seen = decoded(image)
    of = seen.y if isinstance(seen, Planes) else seen
    small = cv2.resize(of, (width, height), interpolation=cv2.INTER_AREA)
    if isinstance(seen, Planes):
        return seen.grey(small.astype(np.float32))
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)


def pack(image: Image) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    """Take apart for a slot: a few words, and arrays that need not be copied before."""
    match image:
        case Planes():
            words = {"full_range": image.full_range, "matrix": image.matrix}
            return words, {"y": image.y, "u": image.u, "v": image.v}
        case Reduced():
            return {"width": image.width, "height": image.height}, {"small": image.small, "data": image.data}
        case _:
            return {}, {"picture": image}


def unpack(words: Mapping[str, Any], arrays: Mapping[str, NDArray[np.uint8]]) -> Image:
    """Put together again what was packed."""
    everything: dict[str, Any] = {**arrays, **words}
    if "y" in arrays:
        return Planes(**everything)
    return Reduced(**everything) if "small" in arrays else arrays["picture"]
