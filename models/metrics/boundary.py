"""Boundary IoU: how well outlines agree, whatever the size of what they enclose.

After Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation" (CVPR 2021,
arXiv:2103.16562): intersection over union of the pixels of each mask that lie within a distance of its own outline,
2 % of the picture's diagonal. Pooled over pictures as IoU is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.metrics import Counts, Floats, cut_out, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.annotation import ClassMap

SHARE = 0.02


def boundary_counts(predicted: ClassMap, truth: ClassMap, classes: int, share: float = SHARE) -> Counts:
    """Count by class the boundary pixels in both and in either, (classes, 2), in one picture, (H, W) each.

    The picture's edge is a boundary of what touches it, as in the authors' code.
    """
    reach = max(1, round(share * math.hypot(*truth.shape)))
    result = np.zeros((classes, 2), np.int64)
    for class_id in range(classes):
        seen, true = cut_out(predicted, truth, class_id)
        if seen.size:
            a, b = _band(seen, reach), _band(true, reach)
            result[class_id] = cv2.countNonZero(a & b), cv2.countNonZero(a | b)
    return result


def boundary_iou(counts: NDArray[np.number]) -> Floats:
    """Give boundary IoU by class from counts (…, classes, 2); NaN where a class is in neither."""
    return ratio(counts[..., 0], counts[..., 1])


def _band(mask: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Keep the pixels that so many erosions with a 3x3 square would take away."""
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inner = cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.subtract(mask, inner), np.uint8)
