"""Blobs: connected defects that were found, missed, or seen where there are none, by their size.

A blob of the truth is found when the prediction covers at least a share of it; a blob of the prediction is false when
the truth covers less than that share of it. Found and missed add up to the truth's blobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.metrics import Counts, Floats, cut_out, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.annotation import ClassMap

OVERLAP = 0.25

EDGES_PX = (16, 64, 256, 1024, 4096, 16384)
"""Where one size bin ends and the next begins: each holds blobs of twice the diameter."""

BINS = len(EDGES_PX) + 1
FOUND, MISSED, FALSE = range(3)

SPECK_SHARE = 2**-15
"""Of the picture: 64 of 2048x1024 pixels."""


def least_object_px(pixels: int) -> int:
    """Give the size from which a blob counts, in a picture of so many pixels; smaller ones are specks of labelling.

    2^-15 of the picture, but at least 9 (3x3 is the least that has an inside) and at most 64 pixels, so that a small
    picture's small defects count.
    """
    return min(64, max(9, round(pixels * SPECK_SHARE)))


def blob_counts(predicted: ClassMap, truth: ClassMap, classes: int, least_px: int, overlap: float = OVERLAP) -> Counts:
    """Count blobs (8 neighbours) of at least `least_px` in one picture, (classes, 3, BINS): found, missed and false.

    Class 0 is what objects lie on and has none.
    """
    result = np.zeros((classes, 3, BINS), np.int64)
    for class_id in range(1, classes):
        seen, true = cut_out(predicted, truth, class_id)
        if seen.size:
            result[class_id, FOUND], result[class_id, MISSED] = _covered(true, seen, least_px, overlap)
            _, result[class_id, FALSE] = _covered(seen, true, least_px, overlap)
    return result


def found_share(counts: NDArray[np.number]) -> Floats:
    """Give the share of the truth's blobs that were found, from counts (…, 3, BINS); NaN where there are none."""
    found = counts[..., FOUND, :].sum(axis=-1)
    return ratio(found, found + counts[..., MISSED, :].sum(axis=-1))


def _covered(mask: NDArray[np.uint8], by: NDArray[np.uint8], least_px: int, overlap: float) -> tuple[Counts, Counts]:
    """Count by size the blobs of `mask` that `by` covers, and those that it does not."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    shared = np.bincount(labels[by > 0], minlength=count)[1:]
    sizes = np.digitize(areas, EDGES_PX)
    large, covered = areas >= least_px, shared >= overlap * areas
    return (
        np.bincount(sizes[large & covered], minlength=BINS),
        np.bincount(sizes[large & ~covered], minlength=BINS),
    )
