"""RGBA: the pixels of a small picture that is itself an annotation, from a file or from base64 text."""

from __future__ import annotations

import base64
import binascii
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge.picture import MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def read_rgba(source: Path | bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Decode a mask as (H, W, 4) uint8 RGBA.

    Raises:
        ValueError: not a picture, not of that size (nothing is decoded then), of more than eight bits, or larger than
            any picture may be.
    """
    if height * width > MAX_PIXELS:
        raise ValueError(f"its picture has {height * width} pixels: at most {MAX_PIXELS} are accepted")
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
            if (image.height, image.width) != (height, width):
                raise ValueError(f"its mask is {image.width}x{image.height}, its picture {width}x{height}")
            if image.mode not in _MODES:
                raise ValueError(f"its mask is of the kind {image.mode}: eight bits per channel are read")
            return np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("its mask is not a PNG that can be read") from error


def from_base64(text: str) -> bytes:
    """Decode the bytes of a picture, with or without `data:image/png;base64,` before. Raises ValueError."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("its mask is not base64 text") from error
