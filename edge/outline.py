"""Outline: blobs of a grid as runs of frame pixels; all blobs at once, and no picture of the frame is drawn.

A column of frame pixels cuts the grid between two of its columns. Along it the interpolated margin is straight from
one grid row to the next, so where it crosses zero is computed instead of sought. It can cross only between four grid
pixels that do not all belong to the blob: nothing else is looked at, so the work grows with the outlines.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.mask import Mask
    from edge.region import Box

_LEAD = np.maximum(2 * np.arange(256, dtype=np.float32) - 255, 1)
"""By how much a class of a score wins, as `Mask.margin` has it."""


class Runs(NamedTuple):
    """Upright runs of frame pixels, from left to right, then from top to bottom."""

    blob: NDArray[np.integer]  # which number
    column: NDArray[np.intp]
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]  # the first row below


class _Edges(NamedTuple):
    """Pairs of neighbouring grid rows and columns between which a blob may begin or end, from left to right, down."""

    pair: NDArray[np.intp]  # grid column on the left; -1 is beyond the grid
    row: NDArray[np.intp]  # grid row below, to the number of rows
    leads: NDArray[np.float32]  # (4, n): above left, above right, below left, below right
    blobs: NDArray[np.integer]  # (4, n), likewise; 0 where none is


class _Columns(NamedTuple):
    """Where each column of frame pixels cuts the grid."""

    left: NDArray[np.intp]  # grid column on its left
    near: NDArray[np.float32]  # weight of that
    far: NDArray[np.float32]  # of the one on its right


def outline(mask: Mask, blobs: NDArray[np.integer], window: tuple[slice, slice]) -> Runs:
    """Draw numbered blobs of one class at frame resolution, in turn; one that covers no pixel's centre has no runs.

    Args:
        mask: the whole grid.
        blobs: what of it holds blobs.
        window: the rows and columns that this is.
    """
    edges = _edges(blobs, mask.scores, window)
    parts = [_runs(mask, layer) for layer in ([edges] if mask.borders is None else _apart(edges))]
    runs = parts[0] if len(parts) == 1 else Runs(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return _in_turn(runs, mask.area)


def _in_turn(runs: Runs, area: Box) -> Runs:
    """Sort by blob, and go over from the part of the frame that the grid covers to the frame."""
    order = np.argsort(runs.blob, kind="stable")
    column, top, bottom = (each.take(order) for each in runs[1:])
    return Runs(runs.blob.take(order), column + area.x, top + area.y, bottom + area.y)


def _runs(mask: Mask, edges: _Edges) -> Runs:
    """Give the runs of blobs that do not touch; whatever else there is counts as another class."""
    area, (rows, across) = mask.area, mask.classes.shape
    columns = _columns(across, area.width)
    column, edge = _met(edges.pair, columns.left)
    near, far = columns.near.take(column), columns.far.take(column)
    margins = np.where(edges.blobs > 0, edges.leads, -edges.leads)
    left_above, right_above, left_below, right_below = (margin.take(edge) for margin in margins)
    above, below = left_above * near + right_above * far, left_below * near + right_below * far
    met = np.flatnonzero((above > 0) != (below > 0))
    column, edge, over, under = column.take(met), edge.take(met), above.take(met).astype(np.float64), below.take(met)
    row = edges.row.take(edge)
    line = (row - 1 - over / (under - over) + 0.5) * (area.height / rows) - 0.5
    line[row == 0] = -1.0  # beyond the grid it goes on as at its edge; inside, the outermost row is empty
    line[row == rows] = area.height
    top, bottom = np.floor(line[0::2]).astype(np.intp) + 1, np.ceil(line[1::2]).astype(np.intp)
    some = np.flatnonzero(bottom > top)
    blob = np.maximum(edges.blobs[2], edges.blobs[3]).take(edge[0::2])
    return Runs(blob.take(some), column[0::2].take(some), top.take(some), bottom.take(some))


def _edges(blobs: NDArray[np.integer], scores: NDArray[np.uint8], window: tuple[slice, slice]) -> _Edges:
    height, width = scores.shape
    top, left = (part.start for part in window)
    framed = cv2.copyMakeBorder(cv2.transpose(blobs), 1, 1, 1, 1, cv2.BORDER_CONSTANT)  # nothing around it
    turned = np.asarray(framed, blobs.dtype)  # column after column
    across, down = turned[:-1] != turned[1:], turned[:-1, :-1] != turned[:-1, 1:]
    mixed = across[:, :-1] | across[:, 1:] | down
    place = np.flatnonzero(mixed)
    column = place // mixed.shape[1]
    row = place - column * mixed.shape[1]
    corner = column * turned.shape[1] + row
    corners = np.stack((corner, corner + turned.shape[1], corner + 1, corner + turned.shape[1] + 1))
    lefts = np.maximum(column + (left - 1), 0), np.minimum(column + left, width - 1)
    rows = np.maximum(row + (top - 1), 0) * width, np.minimum(row + top, height - 1) * width
    places = np.stack((rows[0] + lefts[0], rows[0] + lefts[1], rows[1] + lefts[0], rows[1] + lefts[1]))
    return _Edges(column + (left - 1), row + top, _LEAD.take(scores.take(places)), turned.take(corners))


def _met(pair: NDArray[np.intp], left: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """List which columns of frame pixels meet which edges: for each column, from left to right, the edges from the top.

    Args:
        pair: the grid column on the left of each edge, ascending.
        left: the same of each column of frame pixels, ascending.
    """
    of_pair = np.bincount(pair + 1, minlength=int(left[-1]) + 2)
    count = of_pair.take(left + 1)
    first = (of_pair.cumsum() - of_pair).take(left + 1)
    column = np.repeat(np.arange(len(left)), count)
    return column, np.arange(len(column)) + np.repeat(first - count.cumsum() + count, count)


@lru_cache(maxsize=8)
def _columns(grid: int, frame: int) -> _Columns:
    """Compute as OpenCV's linear interpolation does, which a grid's class maps are drawn with."""
    at = ((np.arange(frame) + 0.5) * (grid / frame) - 0.5).astype(np.float32)
    left = np.floor(at)
    far = np.where((left < 0) | (left >= grid - 1), np.float32(0), at - left)
    return _Columns(np.clip(left, 0, grid - 1).astype(np.intp), np.float32(1) - far, far)


def _apart(edges: _Edges) -> Iterator[_Edges]:
    """Give the edges in layers, in each of which no two blobs touch: one layer, but for objects that touch."""
    touching = _touching(edges.blobs)
    if not touching:
        yield edges
        return
    layer_of = np.zeros(int(edges.blobs.max()) + 1, np.intp)
    for blob in sorted(touching):
        taken = {layer_of[other] for other in touching[blob] if other < blob}
        layer_of[blob] = next(layer for layer in range(len(taken) + 1) if layer not in taken)
    layers = layer_of.take(edges.blobs)
    for layer in range(int(layer_of.max()) + 1):
        blobs = np.where(layers == layer, edges.blobs, 0)
        here = np.flatnonzero(blobs.any(axis=0))
        leads, blobs = edges.leads.take(here, axis=1), blobs.take(here, axis=1)
        yield _Edges(edges.pair.take(here), edges.row.take(here), leads, blobs)


def _touching(blobs: NDArray[np.integer]) -> dict[int, set[int]]:
    """List the neighbours of each blob that has any, by four pixels of each edge."""
    found: dict[int, set[int]] = {}
    several = ((blobs > 0) & (blobs != blobs.max(axis=0))).any(axis=0)
    for four in set(zip(*blobs[:, several].tolist(), strict=True)):
        here = set(four) - {0}
        for blob in here:
            found.setdefault(blob, set()).update(here - {blob})
    return found
