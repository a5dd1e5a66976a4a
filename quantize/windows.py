"""Windows: how TFLite's operators lay theirs over a map, beside how ONNX's do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantize.wiring import attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

SAME, VALID = 0, 1
"""TFLite's two kinds of padding."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A window over rows and columns."""

    padding: int  # SAME or VALID
    before: tuple[int, int]  # rows and columns to be added first, by an operator of their own
    after: tuple[int, int]

    @property
    def needs_padding(self) -> bool:
        """Whether TFLite's own kinds do not do."""
        return any((*self.before, *self.after))


def pair(node: onnx.NodeProto, name: str) -> tuple[int, int]:
    """Read an attribute that has one number for rows and one for columns."""
    down, across = attribute(node, name, (1, 1))
    return down, across


def laid(node: onnx.NodeProto, size: Sequence[int], given: Sequence[int], made: Sequence[int]) -> Laid:
    """Lay the window of a convolution or pooling over a map.

    Args:
        node: of ONNX.
        size: rows and columns of its window.
        given: rows and columns of the map.
        made: rows and columns of what it makes.
    """
    before = tuple(attribute(node, "pads", (0, 0, 0, 0))[:2])
    strides = pair(node, "strides")
    reach = [(k - 1) * d + 1 for k, d in zip(size, pair(node, "dilations"), strict=True)]
    missing = [(m - 1) * s + r - n for m, s, r, n in zip(made, strides, reach, given, strict=True)]
    whole = all(m == -(-n // s) for m, n, s in zip(made, given, strides, strict=True))
    if whole and before == tuple(max(lack, 0) // 2 for lack in missing):
        return Laid(SAME, (0, 0), (0, 0))
    down, across = (max(lack - first, 0) for lack, first in zip(missing, before, strict=True))
    return Laid(VALID, (before[0], before[1]), (down, across))


def nearest_pixels(given: int, made: int, grid: str, rule: str) -> NDArray[np.int64]:
    """Give which pixel each one of a resized row is taken from, by ONNX's `Resize`.

    Args:
        given: pixels of the row.
        made: pixels after resizing.
        grid: its `coordinate_transformation_mode`.
        rule: its `nearest_mode`.
    """
    place, ratio = np.arange(made), given / made
    if grid == "align_corners":
        at = place * ((given - 1) / max(made - 1, 1))
    else:
        at = place * ratio if grid == "asymmetric" else (place + 0.5) * ratio - 0.5
    rounded = {
        "floor": np.floor(at),
        "ceil": np.ceil(at),
        "round_prefer_floor": np.ceil(at - 0.5),
        "round_prefer_ceil": np.floor(at + 0.5),
    }[rule]
    pixels: NDArray[np.int64] = np.clip(rounded, 0, given - 1).astype(np.int64)
    return pixels
