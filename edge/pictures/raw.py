"""Raw: uncompressed pictures as V4L2 lays them in memory, named as planes (linux/videodev2.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import PictureError
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PACKED = {"YUYV": (0, 1, 3), "UYVY": (1, 0, 2)}
"""4:2:2: where the first luma and both chroma samples stand in the four bytes of two pixels."""
_HALF = {"NV12": (0, 1), "NV21": (1, 0)}
"""4:2:0 with chroma samples side by side: which of the two is U, which V."""
_PLANAR = {"YU12": (0, 1), "YV12": (1, 0)}
"""4:2:0 in three planes: which of the two small ones is U, which V."""
RAW_FORMATS = (*_PACKED, *_HALF, *_PLANAR)


def to_planes(raw: NDArray[np.uint8], form: str, width: int, height: int) -> Planes:
    """Name the parts of one picture in one of `RAW_FORMATS`, BT.601 in limited range as cameras give it.

    Chroma of 4:2:2 loses every other row. Raises PictureError when it is not as large as it must be.
    """
    pixels = width * height
    wanted = pixels * 2 if form in _PACKED else pixels * 3 // 2
    flat = raw.reshape(-1)
    if flat.size < wanted or width % 2 or height % 2:
        raise PictureError(f"{form} of {width}x{height}: {flat.size} bytes came, not {wanted}: check cable and hub")
    if form in _PACKED:
        luma, u, v = _PACKED[form]
        pairs = flat[:wanted].reshape(height, width // 2, 4)[::2]
        y = cv2.extractChannel(flat[:wanted].reshape(height, width, 2), luma)
        return _planes(y, cv2.extractChannel(pairs, u), cv2.extractChannel(pairs, v))
    y, chroma = flat[:pixels].reshape(height, width), flat[pixels:wanted]
    if form in _HALF:
        parts = cv2.split(chroma.reshape(height // 2, width // 2, 2))
        return _planes(y, *(parts[number] for number in _HALF[form]))
    small = chroma.reshape(2, height // 2, width // 2)
    return _planes(y, *(small[number] for number in _PLANAR[form]))


def _planes(y: object, u: object, v: object) -> Planes:
    return Planes(y=np.asarray(y, np.uint8), u=np.asarray(u, np.uint8), v=np.asarray(v, np.uint8))
