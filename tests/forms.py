"""Pictures in the forms in which cameras give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from av.video.reformatter import Interpolation

from edge.pictures.jpeg import Jpeg, Reduced, open_jpeg
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.picture import Picture

STRIDE = 32
"""Decoders lay rows on such multiples of bytes."""


EXACTLY = Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""How FFmpeg converts colours well: otherwise it is quicker, and a grey level or two too dark."""


def planes(picture: Picture) -> Planes:
    """Give a picture, even in size, as BT.601 planes in limited range, with gaps between rows as of decoders."""
    height, width = picture.shape[:2]
    packed = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    u, v = packed[height:].reshape(2, height // 2, width // 2)
    return Planes(y=_apart(packed[:height]), u=_apart(u), v=_apart(v))


def _apart(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = plane.shape
    wide = np.full((height, -(-width // STRIDE) * STRIDE + STRIDE), 77, np.uint8)
    wide[:, :width] = plane
    return wide[:, :width]


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    """Encode a picture."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def reduced(picture: Picture, width: int, height: int, quality: int = 90) -> Reduced:
    """Give a picture as a camera's JPEG, decoded for a network that takes `width` x `height`, at most half of it."""
    opened = open_jpeg(jpeg(picture, quality), "test")
    assert isinstance(opened, Jpeg)
    seen = opened.reduced(width, height)
    assert isinstance(seen, Reduced)
    return seen
