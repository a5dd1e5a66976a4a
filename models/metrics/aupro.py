"""AUPRO: how well a map of scores localises defects, every defect counting the same whatever its size.

After Bergmann et al., "The MVTec Anomaly Detection Dataset" (IJCV 2021, section 5.2): per threshold, the mean share of
each connected defect that is above it, over the share of defect-free pixels that are; the area below this curve up to a
false positive rate of 0.3, divided by 0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.annotation import IGNORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.annotation import ClassMap
    from models.metrics import Floats

LIMIT = 0.3
LEVELS = 256


def overlap_counts(scores: NDArray[np.uint8], truth: ClassMap, class_id: int = 1) -> Floats:
    """Spread one picture over its score levels, (2, 256): shares of defects, summed over them, and other pixels.

    Args:
        scores: (H, W), how likely a pixel is of `class_id`; 255 is certain.
        truth: (H, W) class indices.
        class_id: what is looked for.
    """
    defect = (truth == class_id).astype(np.uint8)
    normal = scores[(defect == 0) & (truth != IGNORE)]
    result = np.zeros((2, LEVELS))
    result[1] = np.bincount(normal, minlength=LEVELS)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(defect, connectivity=8)
    weight = 1 / stats[:, cv2.CC_STAT_AREA].clip(min=1)
    inside = defect > 0
    if count > 1:
        result[0] = np.bincount(scores[inside], weights=weight[labels[inside]], minlength=LEVELS)
    return result


def aupro(counts: NDArray[np.number], limit: float = LIMIT) -> Floats:
    """Give the area from counts (…, 2, 256), 0 to 1; NaN where there is no defect or nothing else."""
    flat = counts.reshape(-1, 2, LEVELS)
    return np.array([_area(one, limit) for one in flat]).reshape(counts.shape[:-2])


def _area(counts: NDArray[np.number], limit: float) -> float:
    defects, normal = counts.sum(axis=1)
    if not normal or defects < 0.5:
        return float("nan")
    overlap, false = np.cumsum(counts[:, ::-1], axis=1) / [[defects], [normal]]
    overlap, false = np.append(0, overlap), np.append(0, false)
    beyond = int(np.argmax(false >= limit))  # the first one: the curve may rise straight up at the limit
    left, right = slice(beyond - 1, beyond), slice(beyond, beyond + 1)
    share = (limit - false[left]) / (false[right] - false[left])
    x = np.append(false[:beyond], limit)
    y = np.append(overlap[:beyond], overlap[left] + share * (overlap[right] - overlap[left]))
    return float(np.trapezoid(y, x) / limit)
