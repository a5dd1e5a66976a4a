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

    from edge.mask import Mask

_MOST_16_BIT = 4 * 65_535
"""Pixels of a grid whose blobs, at most a quarter of them, can be numbered in 16 bits, which is three times faster."""


def regions(mask: Mask, labels: Sequence[str], wanted: Collection[str]) -> list[Region]:
    """List the connected blobs (8 neighbours) of the `wanted` classes, largest first, numbered from 1.

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
    member = mask.member(class_id)
    numbers = cv2.CV_16U if member.size < _MOST_16_BIT else cv2.CV_32S
    count, numbered, boxes, _ = cv2.connectedComponentsWithStats(member, connectivity=8, ltype=numbers)
    blobs = cast("NDArray[np.integer]", numbered)
    found = []
    for blob in range(1, count):
        x, y, w, h = (int(v) for v in boxes[blob, :4])
        inside = blobs[y : y + h, x : x + w] == blob
        score = float(mask.scores[y : y + h, x : x + w][inside].mean()) / 255
        outlined = _outline(mask, class_id, blobs, blob, (x, y, w, h))
        if outlined is not None:
            left, top, pixels = outlined
            found.append(_measure(pixels, (left, top), mask, (class_id, label, score)))
    return found


def _outline(
    mask: Mask, class_id: int, blobs: NDArray[np.integer], blob: int, box: tuple[int, int, int, int]
) -> tuple[int, int, NDArray[np.uint8]] | None:
    """Draw one blob at frame resolution; give the left and top of the drawing and its pixels, 0 or 1."""
    grid_h, grid_w = mask.classes.shape
    x, y, w, h = box
    x0, y0, x1, y1 = max(x - 1, 0), max(y - 1, 0), min(x + w + 1, grid_w), min(y + h + 1, grid_h)
    near = mask.margin(class_id, slice(y0, y1), slice(x0, x1)).astype(np.float32)
    owner = blobs[y0:y1, x0:x1]
    near[(owner != blob) & (owner != 0)] = -1  # another blob of the class
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
