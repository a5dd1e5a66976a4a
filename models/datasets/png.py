"""PNG masks: colours by the recipe's table, grey values as class indices, soft black and white for two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.recipe import ClassSpec

BINARY_ABOVE = 127
"""Soft edges of a black and white mask belong to the defect above this grey value."""


def read_mask(path: Path, classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    """Read a mask as (H, W) uint8 class indices, in the order of `classes`.

    Raises:
        DatasetError: unreadable, or a colour or value that no class claims.
    """
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if raw is None:
        raise DatasetError(f"{path}: not a mask that can be read: give a PNG file")
    values = raw.astype(np.int32)
    return _by_colour(path, values[:, :, 2::-1], classes) if raw.ndim == 3 else _by_value(path, values, classes)


def _by_colour(path: Path, rgb: NDArray[np.int32], classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    code = (rgb * np.array([65536, 256, 1], np.int32)).sum(axis=2)
    result = np.full(code.shape, 255, np.uint8)
    for index, spec in enumerate(classes):
        if spec.colour is not None:
            red, green, blue = spec.colour
            result[code == red * 65536 + green * 256 + blue] = index
    unknown = result == 255
    if unknown.any():
        value = int(code[unknown][0])
        colour = (value >> 16, value >> 8 & 255, value & 255)
        raise DatasetError(
            f"{path}: {int(unknown.sum())} pixels have colours that no class claims, such as RGB {colour}: "
            "add the colour to the recipe's classes"
        )
    return result


def _by_value(path: Path, grey: NDArray[np.int32], classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    lookup = np.full(256, 255, np.uint8)
    for index, spec in enumerate(classes):
        lookup[spec.index if spec.index is not None else index] = index
    result = lookup[grey.astype(np.uint8)] if int(grey.max(initial=0)) < 256 else np.full(grey.shape, 255, np.uint8)
    unknown = result == 255
    if not unknown.any():
        return result
    if len(classes) == 2 and int(grey.max()) > BINARY_ABOVE:
        return np.asarray(grey > BINARY_ABOVE, np.uint8)
    raise DatasetError(
        f"{path}: {int(unknown.sum())} pixels have the value {int(grey[unknown][0])}, which no class claims: "
        "give each class its `index` in the recipe"
    )
