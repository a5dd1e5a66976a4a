"""Find regions in a mask: connected at the network's resolution, outlined and measured at the frame's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from edge.region import Box, Region
from edge.rle import encode

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from edge.mask import Mask, Plane

_MOST_16_BIT = 4 * 65_535
"""Pixels of a grid whose blobs, at most a quarter of them, can be numbered in 16 bits, which is three times faster."""


def regions(mask: Mask, labels: Sequence[str], wanted: Collection[str]) -> list[Region]:
    """List the connected blobs (8 neighbours) of the `wanted` classes, largest first, numbered from 1.

    Where the network draws borders between touching objects, each object is a region of its own; its share of the
    border is what lies nearest to it.

    The outline of each blob is interpolated between grid pixels where the class's margin crosses zero, inside the
    blob's own rectangle only: no mask of the whole frame is made.
    """
    found = [
        region
        for class_id, label in enumerate(labels)
        if label in wanted
        for region in _of_class(mask, class_id, label)
    ]
    found.sort(key=lambda region: region.area_px, reverse=True)
    return [replace(region, id=number) for number, region in enumerate(found, start=1)]


def _of_class(mask: Mask, class_id: int, label: str) -> list[Region]:
    blobs, boxes = _blobs(mask.member(class_id)) if mask.borders is None else _objects(mask, class_id, mask.borders)
    found = []
    for blob, (x, y, w, h) in enumerate(boxes, start=1):
        inside = blobs[y : y + h, x : x + w] == blob
        score = float(mask.scores[y : y + h, x : x + w][inside].mean()) / 255
        outlined = _outline(mask, class_id, blobs, blob, (x, y, w, h))
        if outlined is not None:
            left, top, pixels = outlined
            found.append(_measure(pixels, (left, top), mask, (class_id, label, score)))
    return found


def _blobs(member: Plane) -> tuple[NDArray[np.integer], list[Box]]:
    """Number connected pixels from 1, and give the rectangle around each number."""
    numbers = cv2.CV_16U if member.size < _MOST_16_BIT else cv2.CV_32S
    _, numbered, boxes, _ = cv2.connectedComponentsWithStats(member, connectivity=8, ltype=numbers)
    return cast("NDArray[np.integer]", numbered), [Box(*(int(v) for v in box[:4])) for box in boxes[1:]]


def _objects(mask: Mask, class_id: int, borders: Plane) -> tuple[NDArray[np.integer], list[Box]]:
    """Number the objects of a class whose touching ones are kept apart by borders; likewise."""
    member = mask.member(class_id)
    core = cv2.subtract(member, borders)
    whole, _ = _blobs(member)
    bare = np.isin(whole, np.unique(whole[core > 0]), invert=True)  # nothing but border: an object all the same
    core[bare & (member > 0)] = 255
    numbered, boxes = _blobs(np.asarray(core, np.uint8))
    if len(boxes) < 2:
        return _blobs(member) if boxes else (numbered, boxes)
    _, nearest = cv2.distanceTransformWithLabels(cv2.bitwise_not(core), cv2.DIST_L2, cv2.DIST_MASK_5)
    number_of = np.zeros(int(nearest.max()) + 1, numbered.dtype)
    number_of[nearest[core > 0]] = numbered[core > 0]
    grown = np.where(member > 0, number_of[nearest], 0)
    return grown, _around(grown, len(boxes))


def _around(numbered: NDArray[np.integer], count: int) -> list[Box]:
    """Give the rectangle around each number."""
    rows, columns = np.nonzero(numbered)
    owner = numbered[rows, columns] - 1
    first, last = np.full((2, count), max(numbered.shape)), np.zeros((2, count), int)
    for axis, places in enumerate((columns, rows)):
        np.minimum.at(first[axis], owner, places)
        np.maximum.at(last[axis], owner, places)
    sizes = last - first + 1
    return [Box(*(int(v) for v in box)) for box in zip(*first, *sizes, strict=True)]


def _outline(
    mask: Mask, class_id: int, blobs: NDArray[np.integer], blob: int, box: tuple[int, int, int, int]
) -> tuple[int, int, NDArray[np.uint8]] | None:
    """Draw one blob at frame resolution; give the left and top of the drawing and its pixels, 0 or 1."""
    grid_h, grid_w = mask.classes.shape
    x, y, w, h = box
    x0, y0, x1, y1 = max(x - 1, 0), max(y - 1, 0), min(x + w + 1, grid_w), min(y + h + 1, grid_h)
    near = mask.margin(class_id, slice(y0, y1), slice(x0, x1)).astype(np.float32)
    owner = blobs[y0:y1, x0:x1]
    other = (owner != blob) & (owner != 0)  # blobs of the same class
    near[other] *= -1
    sx, sy = mask.frame_width / grid_w, mask.frame_height / grid_h
    left, top = round(x0 * sx), round(y0 * sy)
    width, height = round(x1 * sx) - left, round(y1 * sy) - top
    drawn = _sample(near, (left / sx - x0, top / sy - y0), (1 / sx, 1 / sy), (width, height)) > 0
    return (left, top, drawn.astype(np.uint8)) if drawn.any() else None


def _sample(
    grid: NDArray[np.float32], corner: tuple[float, float], step: tuple[float, float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Interpolate `grid` linearly at frame pixels; pixel centres of both grids agree as in `cv2.resize`.

    Args:
        grid: (h, w) values.
        corner: of the drawing, x and y in grid pixels.
        step: from one frame pixel to the next, x and y in grid pixels.
        size: of the drawing, width and height in frame pixels.
    """
    matrix = np.array([[step[0], 0, corner[0] + step[0] / 2 - 0.5], [0, step[1], corner[1] + step[1] / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grid, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _measure(pixels: NDArray[np.uint8], corner: tuple[int, int], mask: Mask, what: tuple[int, str, float]) -> Region:
    (left, top), (class_id, label, score) = corner, what
    moments = cv2.moments(pixels, binaryImage=True)
    area = round(moments["m00"])
    x, y, w, h = cv2.boundingRect(pixels)
    return Region(
        id=0,
        class_id=class_id,
        label=label,
        score=score,
        bbox=Box(left + x, top + y, w, h),
        area_px=area,
        centroid=(left + moments["m10"] / area, top + moments["m01"] / area),
        segmentation=encode(pixels, left, top, mask.frame_width, mask.frame_height),
    )
