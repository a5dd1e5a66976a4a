"""Mosaic: the masks of overlapping tiles as one mask, without seams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.mask import Mask
from edge.tiles.layout import FULL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.mask import Plane
    from edge.tiles.layout import Layout, Tile

_NOBODY = 255
"""Class of grid pixels that no tile has spoken for; classes of a model end at 254."""
_ALL = FULL * FULL


class Mosaic:
    """Tiles vote on each grid pixel that they share, by how sure they are and how far it lies inside them.

    Between two classes this is the weighted mean of the tiles' probabilities, without keeping any: a tile's vote is
    p - (1 - p) for its class, and against any other. So scores and outlines go over from one tile to the next without
    a step, and what crosses a seam is one blob.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        shape = layout.grid[::-1]
        self._classes: Plane = np.full(shape, _NOBODY, np.uint8)
        self._lead: NDArray[np.int16] = np.zeros(shape, np.int16)  # of the class, times `_ALL`
        self._borders: Plane | None = None

    def add(self, tile: Tile, mask: Mask) -> None:
        """Count the vote of one tile."""
        column, row = tile.column, tile.row
        here = tile.place
        its = slice(row.skip, row.skip + len(row.weights)), slice(column.skip, column.skip + len(column.weights))
        classes, lead = self._classes[here], self._lead[here]
        seen = mask.classes[its]
        vote = (2 * mask.scores[its].astype(np.int16) - 255) * np.outer(row.weights, column.weights)
        same = classes == seen
        ahead = np.where(same, lead + vote, lead - vote)
        turned = ~same & ((ahead < 0) | (classes == _NOBODY))
        lead[:] = np.where(turned, -ahead, ahead)
        classes[turned] = seen[turned]
        if mask.borders is not None:
            self._draw_borders(here, mask.borders[its], np.outer(row.owns, column.owns))

    def mask(self) -> Mask:
        """Give what the tiles see together; where there was none, class 0 with score 0."""
        nobody = self._classes == _NOBODY
        self._classes[nobody], self._lead[nobody] = 0, -255 * _ALL
        scores = (self._lead + 255 * _ALL) // (2 * _ALL)
        return Mask(
            classes=self._classes,
            scores=scores.astype(np.uint8),
            frame_width=self._layout.width,
            frame_height=self._layout.height,
            borders=self._borders,
        )

    def _draw_borders(self, here: tuple[slice, slice], drawn: Plane, owned: NDArray[np.bool_]) -> None:
        if self._borders is None:
            self._borders = np.zeros(self._classes.shape, np.uint8)
        self._borders[here][owned] = drawn[owned]


def with_context(mask: Mask, whole: Mask, tile: tuple[int, int]) -> Mask:
    """Add what no tile could see whole: blobs of a look at the reduced picture that are wider or higher than `tile`.

    Of what tiles see themselves, nothing is changed: they are asked first, the reduced picture where they see class 0.

    Args:
        mask: what the tiles see together.
        whole: what is seen in the same picture, reduced.
        tile: width and height in pixels of the picture.
    """
    height, width = mask.classes.shape
    rows, columns = whole.classes.shape
    classes, scores = mask.classes.copy(), mask.scores.copy()
    for class_id in np.unique(whole.classes[whole.classes > 0]).tolist():
        _, numbered, boxes, _ = cv2.connectedComponentsWithStats(whole.member(class_id), connectivity=8)
        wide = boxes[:, cv2.CC_STAT_WIDTH] * whole.frame_width > tile[0] * columns
        high = boxes[:, cv2.CC_STAT_HEIGHT] * whole.frame_height > tile[1] * rows
        large = wide | high
        large[0] = False  # what is not of this class
        if not large.any():
            continue
        margin = np.where(large[numbered], whole.margin(class_id), np.int16(-255))
        drawn = cv2.resize(margin, (width, height), interpolation=cv2.INTER_LINEAR)
        taken = (drawn > 0) & (classes == 0)
        classes[taken] = class_id
        scores[taken] = (drawn[taken] + 255) // 2
    return replace(mask, classes=classes, scores=scores)
