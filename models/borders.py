"""Borders: lines drawn between touching objects of one class, so that a network of classes can tell them apart.

After Ronneberger et al., "U-Net" (arXiv:1505.04597), who made networks learn the gaps between touching cells. As a
class of their own, the gaps need neither proposals nor crops: every architecture can draw them, on every chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.mask import border_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.example import U8
    from models.recipe import ClassSpec

REACH = 2
"""Pixels of the network's input on either side of the line where two objects touch."""


def draw_borders(classes: U8, objects: NDArray[np.uint16], specs: Sequence[ClassSpec]) -> U8:
    """Give the class map, (H, W), with the borders that `specs` ask for.

    Args:
        classes: (H, W), class indices.
        objects: (H, W), numbers of objects from 1, 0 where there is none.
        specs: the classes; those with `between` are borders.
    """
    drawn = classes
    for border, inside in border_classes(specs).items():
        numbers = np.where(classes == inside, objects, 0).astype(np.uint16)
        most = np.iinfo(np.uint16).max
        near = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
        highest = cv2.dilate(numbers, near)
        lowest = most - cv2.dilate(np.where(numbers, most - numbers, 0).astype(np.uint16), near)
        drawn = np.where((numbers > 0) & (highest != lowest), border, drawn)
    return np.asarray(drawn, np.uint8)
