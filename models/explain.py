"""Explain: on which places of a picture a decision rests, by covering them one after another and looking again.

Occlusion (Zeiler and Fergus, arXiv:1311.2901), from coarse to fine: what is missed most is covered again in quarters,
so that the number of looks is known beforehand. It asks for what every device gives, and so explains the very file that
runs there, INT8 too; Seg-Grad-CAM (Vinogradova et al., arXiv:2002.11434) asks for gradients, which no runtime has.

Measured on six validation pictures of coffee leaves; what is left of the certainty of "lesion", in %, when the hottest
pixels are blurred (deletion) or all others (insertion), and its mean over seven shares of 0.25 to 16 %:

                                       deletion                insertion
    hottest                       1 %   4 %   8 %   mean         mean
    occlusion, 256 looks           54    18     8     40           58
    integrated gradients           52    13     8     36           66
    Seg-Grad-CAM, last stage       55    14     3     38           64
    Seg-Grad-CAM, bottleneck       98    90    82     88           12
    the mask that is seen          57    16     8     41           62
    edges                          99    95    73     84           15
    chance                         99    97    94     97            4

So occlusion is nearly as true as the best of what asks for gradients. RISE (Petsiuk et al., arXiv:1806.07421) asks for
none either, but left 72 % in the mean after 300 looks at three of the pictures. That the mask itself does as well says
that lesions are decided where they are; what a network decides elsewhere is shown there. A convolutional network of
random weights depends on the neighbourhood, too: its map for the class that it sees there correlates by 0.7 to 0.8 with
that of the trained one; for a class that it does not see there is none.
"""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.picture import Picture

    Certainty = Callable[[Picture], float]
    """How sure a network is of a decision, 0 to 1, when it is shown this picture."""

Heat = NDArray[np.float32]
"""(H, W) float32: how much the decision rests on each pixel, the most important one is 1."""

LOOKS = 256
"""How often the network is asked about one picture."""

FIRST_CELLS = 64
"""Places that are covered at first, about square, all of the picture together."""

LEAST_PX = 8
"""Sides below twice this are not halved."""


class _Cell(NamedTuple):
    top: int
    bottom: int
    left: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def is_large(self) -> bool:
        return min(self.bottom - self.top, self.right - self.left) >= 2 * LEAST_PX

    def quarters(self) -> list[_Cell]:
        rows, columns = (self.top, self.bottom), (self.left, self.right)
        return _grid(*((first, (first + last) / 2, last) for first, last in (rows, columns)))


def explain(picture: Picture, certainty: Certainty) -> Heat:
    """Show on which pixels of `picture`, (H, W, 3) uint8, the decision behind `certainty` rests; 0 where on none."""
    covered, before = cover(picture), certainty(picture)
    heat = np.zeros(picture.shape[:2], np.float32)
    waiting: list[tuple[float, _Cell]] = []
    cells = _first(*picture.shape[:2])
    with tqdm(total=LOOKS, desc="explaining", unit="look", disable=None, leave=False) as bar:
        while cells and bar.n + len(cells) <= LOOKS:
            for cell in cells:
                changed = picture.copy()
                changed[cell.inside] = covered[cell.inside]
                missed = before - certainty(changed)
                heat[cell.inside] += missed / heat[cell.inside].size
                if missed > 0 and cell.is_large:
                    heapq.heappush(waiting, (-missed, cell))
                bar.update()
            cells = heapq.heappop(waiting)[1].quarters() if waiting else []
    smooth = np.asarray(cv2.GaussianBlur(np.maximum(heat, 0), (0, 0), LEAST_PX / 2), np.float32)
    return smooth / (smooth.max() or 1)


def cover(picture: Picture) -> Picture:
    """Blur all of a picture until nothing on it can be told, but its colours stay where they are."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), min(picture.shape[:2]) / 8), np.uint8)


def hottest(heat: Heat, share: float) -> NDArray[np.bool_]:
    """Mark this share of the pixels, those that matter most."""
    marked = np.zeros(heat.size, np.bool_)
    marked[np.argsort(-heat, axis=None, kind="stable")[: round(share * heat.size)]] = True
    return marked.reshape(heat.shape)


def _first(height: int, width: int) -> list[_Cell]:
    side = (height * width / FIRST_CELLS) ** 0.5
    rows, columns = (np.linspace(0, length, max(1, round(length / side)) + 1).tolist() for length in (height, width))
    return _grid(rows, columns)


def _grid(rows: Sequence[float], columns: Sequence[float]) -> list[_Cell]:
    return [
        _Cell(round(top), round(bottom), round(left), round(right))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
