"""Outline: blobs of a grid as runs of frame pixels; all blobs at once, and no picture of the frame is drawn.

A column of frame pixels cuts the grid between two of its columns. Along it the interpolated margin is straight from
one grid row to the next, so where it crosses zero is computed instead of sought: the work grows with the outlines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.mask import Mask


class Runs(NamedTuple):
    """Upright runs of frame pixels, from left to right, then from top to bottom."""

    blob: NDArray[np.intp]  # which number
    column: NDArray[np.intp]
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]  # the first row below


def outline(mask: Mask, class_id: int, blobs: NDArray[np.integer]) -> Runs:
    """Draw numbered blobs of one class at frame resolution, in turn; one that covers no pixel's centre has no runs."""
    margin = mask.margin(class_id).astype(np.float32)
    layers = [blobs] if mask.borders is None else _apart(blobs)
    parts = [_runs(mask, np.where(own == blobs, margin, -np.abs(margin)), own) for own in layers]
    together = Runs(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    order = np.argsort(together.blob, kind="stable")
    return Runs(*(each[order] for each in together))


def _runs(mask: Mask, margin: NDArray[np.float32], blobs: NDArray[np.integer]) -> Runs:
    """Give the runs where `margin` is positive; blobs do not touch."""
    (rows,) = np.nonzero(blobs.any(axis=1))
    first, last = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, len(blobs))
    size = (mask.frame_width, last - first)
    across = np.asarray(cv2.resize(margin[first:last], size, interpolation=cv2.INTER_LINEAR), np.float32)
    line = np.zeros((mask.frame_width, last - first + 2), np.bool_)  # columns one after the other, nothing at the ends
    line[:, 1:-1] = across.T > 0
    changes = np.flatnonzero(line.ravel()[1:] != line.ravel()[:-1]) + 1
    column, row = np.divmod(changes, line.shape[1])
    crossing = _crossing(across, column, row - 1) + first
    edge = (crossing + 0.5) * (mask.frame_height / len(blobs)) - 0.5
    edge[row == 1] = -1.0  # beyond the grid it goes on as at its edge; inside, the outermost row is empty
    edge[row == line.shape[1] - 1] = mask.frame_height
    top, bottom = np.floor(edge[0::2]).astype(np.intp) + 1, np.ceil(edge[1::2]).astype(np.intp)
    blob = _owner(blobs, column[0::2], row[0::2] - 1 + first, mask.frame_width)
    some = bottom > top
    return Runs(blob[some], column[0::2][some], top[some], bottom[some])


def _crossing(across: NDArray[np.float32], column: NDArray[np.intp], row: NDArray[np.intp]) -> NDArray[np.float64]:
    """Say where between `row` - 1 and `row` the sign changes; anything outside the grid."""
    above = across[np.maximum(row - 1, 0), column].astype(np.float64)
    below = across[np.minimum(row, len(across) - 1), column]
    rise = below - above
    return np.asarray(row - 1 - above / np.where(rise == 0, 1, rise), np.float64)


def _owner(
    blobs: NDArray[np.integer], column: NDArray[np.intp], row: NDArray[np.intp], frame_width: int
) -> NDArray[np.intp]:
    """Give the blob at a grid row between two grid columns: at most one, for neighbours are of one blob."""
    width = blobs.shape[1]
    left = np.floor((column + 0.5) * (width / frame_width) - 0.5).astype(np.intp)
    found = blobs[row, np.clip(left, 0, width - 1)]
    return np.asarray(np.where(found, found, blobs[row, np.clip(left + 1, 0, width - 1)]), np.intp)


def _apart(blobs: NDArray[np.integer]) -> Iterator[NDArray[np.integer]]:
    """Give the blobs in layers, in each of which no two touch: one layer, but for objects that touch each other."""
    touching = _touching(blobs)
    if not touching:
        yield blobs
        return
    layer_of = np.zeros(int(blobs.max()) + 1, np.intp)
    for blob in sorted(touching):
        taken = {layer_of[other] for other in touching[blob] if other < blob}
        layer_of[blob] = next(layer for layer in range(len(taken) + 1) if layer not in taken)
    for layer in range(int(layer_of.max()) + 1):
        yield np.where(layer_of[blobs] == layer, blobs, 0)


def _touching(blobs: NDArray[np.integer]) -> dict[int, set[int]]:
    """List the neighbours of each blob that has any."""
    found: dict[int, set[int]] = {}
    shifted = ((blobs[:, 1:], blobs[:, :-1]), (blobs[1:], blobs[:-1]))
    slanted = ((blobs[1:, 1:], blobs[:-1, :-1]), (blobs[1:, :-1], blobs[:-1, 1:]))
    for one, other in (*shifted, *slanted):
        differ = (one != other) & (one != 0) & (other != 0)
        for pair in {(int(a), int(b)) for a, b in zip(one[differ], other[differ], strict=True)}:
            for a, b in (pair, pair[::-1]):
                found.setdefault(a, set()).add(b)
    return found
