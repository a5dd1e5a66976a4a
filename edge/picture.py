"""Picture: what pixels are, and how they are read from files and bytes that may be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import PictureError

if TYPE_CHECKING:
    from pathlib import Path

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""

MAX_PIXELS = 64_000_000
"""Pictures with more pixels are refused before they are decoded: a 1 MB file can claim gigabytes."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def read_picture(path: Path) -> Picture:
    """Read a picture file as (H, W, 3) uint8 BGR; EXIF orientation is ignored, masks would not follow it.

    Raises:
        PictureError: missing, not a picture, damaged, or larger than `MAX_PIXELS`.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}: give a picture file that exists") from error
    return decode_picture(data, str(path))


def decode_picture(data: NDArray[np.uint8], name: str, flags: int = cv2.IMREAD_COLOR) -> Picture:
    """Decode an encoded picture held in memory, by `flags` of `cv2.imdecode`; `name` stands in the error."""
    try:
        picture = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except cv2.error as error:
        raise PictureError(f"{name}: refused by the decoder: {str(error.err)[:120]}") from error
    if picture is None:
        raise PictureError(f"{name}: not a picture that can be read: use JPEG or PNG, and check that the file is whole")
    if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
        raise PictureError(f"{name}: {picture.shape[1]}x{picture.shape[0]} pixels: at most {MAX_PIXELS} are accepted")
    return np.asarray(picture, np.uint8)


def check_jpeg(data: bytes, name: str) -> bytes:
    """Give `data` back when it is a JPEG with beginning and end; decoders fill up what is missing and tell nobody.

    Raises:
        PictureError: empty, cut off, or something else.
    """
    if not data:
        raise PictureError(f"{name}: an empty picture came: check cable, power and the sender")
    if not data.startswith(b"\xff\xd8"):
        raise PictureError(f"{name}: what came is no JPEG: set the camera to JPEG or H.264")
    if b"\xff\xd9" not in data[-64:]:  # some cameras pad with zeros
        raise PictureError(f"{name}: a picture came cut off after {len(data)} bytes: check cable, hub and network")
    return data


def is_picture(path: Path) -> bool:
    """Say whether the name looks like a picture's."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
