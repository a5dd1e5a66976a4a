"""Jpeg: a picture as it came encoded, decoded only as large as it is wanted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import PictureError
from edge.picture import MAX_PIXELS, check_jpeg, decode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.picture import Picture

_FRACTIONS = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
"""Decoders can leave out detail before it costs anything: an eighth, a quarter, half of width and height."""
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of segments that begin with the size: SOF0 to SOF15 of ITU-T T.81, table B.1."""
_APP1, _SCAN = 0xE1, 0xDA


@dataclass(frozen=True, slots=True, eq=False)
class Jpeg:
    """One encoded picture, not decoded yet."""

    data: bytes
    name: str  # where it came from, for errors
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the picture it holds."""
        return self.height, self.width, 3

    def bgr(self) -> Picture:
        """Decode it whole. Raises PictureError."""
        return decode_picture(np.frombuffer(self.data, np.uint8), self.name)

    def reduced(self, width: int, height: int) -> Reduced | Picture:
        """Decode it at a fraction of its size that is at least as large as wanted; whole where that is not possible.

        Raises:
            PictureError: damaged.
        """
        factor = next((f for f in _FRACTIONS if self.width // f >= width > 0 and self.height // f >= height > 0), 1)
        if factor == 1:
            return self.bgr()
        data = np.frombuffer(self.data, np.uint8)
        small = decode_picture(data, self.name, _FRACTIONS[factor])
        return Reduced(small=small, data=data, width=self.width, height=self.height)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """A picture decoded at a fraction of its size, with what it was decoded from."""

    small: Picture
    data: NDArray[np.uint8]  # the whole JPEG
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the whole picture."""
        return self.height, self.width, 3

    def bgr(self) -> Picture:
        """Decode it whole. Raises PictureError."""
        return decode_picture(self.data, "a camera's JPEG")

    def copy(self) -> Reduced:
        """Give one with memory of its own."""
        return Reduced(small=self.small.copy(), data=self.data.copy(), width=self.width, height=self.height)


def open_jpeg(data: bytes, name: str) -> Jpeg | Picture:
    """Take an encoded picture; one that says how to turn it, as telephones' do, is decoded at once and not turned.

    Raises:
        PictureError: empty, cut off, too large or something else.
    """
    at, turned = 2, False
    check_jpeg(data, name)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _SIZES and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            if width * height > MAX_PIXELS:
                raise PictureError(f"{name}: {width}x{height} pixels: at most {MAX_PIXELS} are accepted")
            whole = Jpeg(data, name, width, height)
            return whole.bgr() if turned or not width * height else whole
        if marker == _SCAN:
            break
        turned |= marker == _APP1 and data[at + 4 : at + 10] == b"Exif\0\0"
        at += 1 if marker == 0xFF else 2 + length  # any number of fill bytes may stand before a marker
    return decode_picture(np.frombuffer(data, np.uint8), name)
