"""Outline: blobs of a grid as runs of frame pixels; all blobs at once, and no picture of the frame is drawn.

A column of frame pixels cuts the grid between two of its columns. Along it the interpolated margin is straight from
one grid row to the next, so where it crosses zero is computed instead of sought: the work grows with the outlines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.mask import Mask
    from edge.region import Box


class Runs(NamedTuple):
    """Upright runs of frame pixels, from left to right, then from top to bottom."""

    blob: NDArray[np.intp]  # which number
    column: NDArray[np.intp]
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]  # the first row below


def outline(mask: Mask, class_id: int, blobs: NDArray[np.integer]) -> Runs:
    """Draw numbered blobs of one class at frame resolution, in turn; one that covers no pixel's centre has no runs."""
    if mask.borders is None:
        return _in_turn(_runs(mask, class_id, blobs), mask.area)
    parts = [_runs(mask, class_id, layer, blobs) for layer in _apart(blobs)]
    return _in_turn(Runs(*(np.concatenate(each) for each in zip(*parts, strict=True))), mask.area)


def _in_turn(runs: Runs, area: Box) -> Runs:
    """Sort by blob, and go over from the part of the frame that the grid covers to the frame."""
    blob, column, top, bottom = (each[np.argsort(runs.blob, kind="stable")] for each in runs)
    return Runs(blob, column + area.x, top + area.y, bottom + area.y)


def _runs(mask: Mask, class_id: int, blobs: NDArray[np.integer], among: NDArray[np.integer] | None = None) -> Runs:
    """Give the runs of blobs that do not touch; those of `among` that are missing here are like any other class."""
    (rows,), (columns,) = np.nonzero(blobs.any(axis=1)), np.nonzero(blobs.any(axis=0))
    first, last = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, len(blobs))
    area = mask.area
    scale = area.width / blobs.shape[1]
    left, right = max(math.floor((columns[0] - 1) * scale), 0), math.ceil((columns[-1] + 2) * scale)
    size = (area.width, last - first)
    margin = mask.margin(class_id, slice(first, last)).astype(np.float32)
    if among is not None:
        margin = np.where(blobs[first:last] == among[first:last], margin, -np.abs(margin))
    across = np.asarray(cv2.resize(margin, size, interpolation=cv2.INTER_LINEAR)[:, left:right], np.float32)
    line = np.zeros((across.shape[1], last - first + 2), np.uint8)  # column after column, nothing at the ends
    line[:, 1:-1] = cv2.transpose(cv2.compare(across, 0, cv2.CMP_GT))  # type: ignore[call-overload] # a number is allowed
    changes = np.flatnonzero(line.ravel()[1:] != line.ravel()[:-1]) + 1
    column, row = np.divmod(changes, line.shape[1])
    crossing = _crossing(across, column, row - 1) + first
    edge = (crossing + 0.5) * (area.height / len(blobs)) - 0.5
    edge[row == 1] = -1.0  # beyond the grid it goes on as at its edge; inside, the outermost row is empty
    edge[row == line.shape[1] - 1] = area.height
    top, bottom = np.floor(edge[0::2]).astype(np.intp) + 1, np.ceil(edge[1::2]).astype(np.intp)
    blob = _owner(blobs, column[0::2] + left, row[0::2] - 1 + first, area.width)
    some = bottom > top
    return Runs(blob[some], column[0::2][some] + left, top[some], bottom[some])


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
