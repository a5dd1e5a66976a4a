"""Find regions in a mask: connected at the network's resolution, outlined and measured at the frame's."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from edge.outline import outline
from edge.region import Box, Region
from edge.rle import Rle, encode_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from edge.mask import Mask, Plane
    from edge.outline import Runs

_MOST_16_BIT = 4 * 65_535
"""Pixels of a grid whose blobs, at most a quarter of them, can be numbered in 16 bits, which is three times faster."""


_Measures: TypeAlias = tuple[float, Box, int, tuple[float, float], Rle]
"""Score, box, area, centroid and pixels of a region."""
_Blob: TypeAlias = tuple[int, str, float, Box, int, tuple[float, float], Rle]
"""The same behind the number and the name of its class: all that a region is, but for its own number."""
_AREA = 4


def regions(mask: Mask, labels: Sequence[str], wanted: Collection[str]) -> list[Region]:
    """List the connected blobs (8 neighbours) of the `wanted` classes, largest first, numbered from 1.

    Where the network draws borders between touching objects, each object is a region of its own; its share of the
    border is what lies nearest to it.

    The outline of each blob is interpolated between grid pixels where the class's margin crosses zero.
    """
    classes = [(class_id, label) for class_id, label in enumerate(labels) if label in wanted]
    found = [blob for class_id, label in classes for blob in _of_class(mask, class_id, label)]
    found.sort(key=itemgetter(_AREA), reverse=True)
    return [Region(number, *blob) for number, blob in enumerate(found, start=1)]


def _of_class(mask: Mask, class_id: int, label: str) -> list[_Blob]:
    member = mask.member(class_id)
    window = _window(member)
    member, scores = member[window], mask.scores[window]
    if not member.size:
        return []
    blobs = _blobs(member) if mask.borders is None else _objects(member, mask.borders[window])
    inside = np.flatnonzero(blobs > 0)
    owners = blobs.take(inside)
    means = np.bincount(owners, scores.take(inside)) / np.maximum(np.bincount(owners), 1) / 255
    return [(class_id, label, *measures) for measures in _measure(outline(mask, blobs, window), means, mask)]


def _window(member: Plane) -> tuple[slice, slice]:
    """Give the rows and columns that hold all there is, from even ones on, as OpenCV numbers blobs by 2x2 pixels."""
    left, top, width, height = cv2.boundingRect(member)
    return slice(top - top % 2, top + height), slice(left - left % 2, left + width)


def _blobs(member: Plane) -> NDArray[np.integer]:
    """Number connected pixels from 1."""
    kind = cv2.CV_16U if member.size < _MOST_16_BIT else cv2.CV_32S
    count, numbers = cv2.connectedComponents(member, connectivity=8, ltype=kind)
    return np.asarray(numbers, np.uint16 if count <= _MOST_16_BIT // 4 else np.int32)


def _objects(member: Plane, borders: Plane) -> NDArray[np.integer]:
    """Number the objects of a class whose touching ones are kept apart by borders; likewise."""
    whole = _blobs(member)
    border = np.flatnonzero(cv2.bitwise_and(member, borders) > 0)
    if not len(border):
        return whole
    core = np.asarray(cv2.subtract(member, borders), np.uint8)
    cored = np.zeros(int(whole.max()) + 1, np.bool_)
    cored[whole[core > 0]] = True
    of_core = cored.take(whole.take(border))
    core.put(border[~of_core], 255)  # nothing but border: an object all the same
    border = border[of_core]
    numbered = _blobs(core)
    if numbered.max() < 2:
        return whole
    _, nearest = cv2.distanceTransformWithLabels(
        cv2.bitwise_not(core), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owners = np.flatnonzero(core > 0).take(np.asarray(nearest, np.int32).take(border) - 1)
    numbered.put(border, numbered.take(owners))
    return numbered


def _measure(runs: Runs, scores: NDArray[np.float64], mask: Mask) -> Iterator[_Measures]:
    """Measure each blob by its runs; runs come blob by blob."""
    if not len(runs.blob):
        return iter(())
    first = np.append(0, np.flatnonzero(runs.blob[1:] != runs.blob[:-1]) + 1)
    length = runs.bottom - runs.top
    area = np.add.reduceat(length, first)
    x = np.add.reduceat(runs.column * length, first) / area
    y = np.add.reduceat((runs.top + runs.bottom - 1) * length, first) / (2 * area)
    left, top = np.minimum.reduceat(runs.column, first), np.minimum.reduceat(runs.top, first)
    width = np.maximum.reduceat(runs.column, first) + 1 - left
    height = np.maximum.reduceat(runs.bottom, first) - top
    start = runs.column * mask.frame_height + runs.top
    codes = encode_runs(runs.blob, start, start + length, mask.frame_width, mask.frame_height)
    boxes = map(Box, left.tolist(), top.tolist(), width.tolist(), height.tolist())
    centroids = zip(x.tolist(), y.tolist(), strict=True)
    return zip(scores[runs.blob[first]].tolist(), boxes, area.tolist(), centroids, codes, strict=True)
