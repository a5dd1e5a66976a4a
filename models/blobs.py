"""Blobs: the connected parts of what is marked, corners touching."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

from edge.rle import encode, runs_of
from models.annotation import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.rle import Rle
    from models.annotation import ClassMap, Mark


class Blob(NamedTuple):
    """One connected part."""

    left: int
    top: int
    pixels: NDArray[np.uint8]  # (h, w) of its box, 0 and 1

    def on(self, height: int, width: int) -> Rle:
        """Give it as run lengths of a picture of that size."""
        return encode(self.pixels, self.left, self.top, width, height)


def blobs(inside: NDArray[np.bool_]) -> Iterator[Blob]:
    """Give the blobs of (H, W) one after the other."""
    count, numbered, boxes, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
    plane = cast("NDArray[np.int32]", numbered)
    for number in range(1, count):
        left, top, width, height = (int(v) for v in boxes[number, :4])
        part = plane[top : top + height, left : left + width] == number
        yield Blob(left, top, part.astype(np.uint8))


def object_sizes(mark: Mark) -> list[int]:
    """List the pixels of each object that a mark stands for; an empty mark has none."""
    if mark.is_object:
        size = area(mark.runs())
        return [size] if size else []
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mark.inside().view(np.uint8), connectivity=8)
    return [int(size) for size in boxes[1:, cv2.CC_STAT_AREA]]


def area(runs: Rle) -> int:
    """Count the pixels inside."""
    return int(runs_of(runs)[1::2].sum())


def count_blobs(classes: ClassMap) -> int:
    """Count the blobs of every class but the first and the ignored pixels."""
    wanted = set(np.unique(classes).tolist()) - {0, IGNORE}
    return sum(cv2.connectedComponents((classes == index).view(np.uint8), connectivity=8)[0] - 1 for index in wanted)
