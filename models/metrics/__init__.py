"""Metrics: pixels counted by class; every other file here is one further way to score what a network saw.

Counts add up: over pictures, over groups, and over the draws of a bootstrap, so each metric is counts per picture and a
function from their sum, whose leading axes are kept. Pixels whose truth is `IGNORE` count nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.annotation import IGNORE

if TYPE_CHECKING:
    from models.annotation import ClassMap

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Confusion:
    """Pixel counts, truth by row, prediction by column, pooled over pictures."""

    classes: int
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.classes, self.classes), np.int64)

    def add(self, predicted: ClassMap, truth: ClassMap) -> None:
        """Count one picture; both (H, W) uint8 class indices; where the truth is `IGNORE`, nothing is counted."""
        code = truth.astype(np.uint16) * np.uint16(self.classes) + predicted
        cells = np.bincount(code.ravel(), minlength=self.classes**2)
        self.counts += cells[: self.classes**2].reshape(self.classes, self.classes)  # those of `IGNORE` lie behind

    def iou(self) -> list[float]:
        """Intersection over union of each class; NaN where the class is in neither."""
        return [float(v) for v in iou(self.counts)]


def iou(counts: NDArray[np.number]) -> Floats:
    """Intersection over union by class (Jaccard 1912), from counts (…, C, C); NaN where a class is in neither."""
    hit, true, predicted = _margins(counts)
    return ratio(hit, true + predicted - hit)


def precision(counts: NDArray[np.number]) -> Floats:
    """Share of the pixels seen as a class that are of it, from counts (…, C, C); NaN where none is seen as it."""
    hit, _, predicted = _margins(counts)
    return ratio(hit, predicted)


def recall(counts: NDArray[np.number]) -> Floats:
    """Share of the pixels of a class that are seen as it, from counts (…, C, C); NaN where there are none."""
    hit, true, _ = _margins(counts)
    return ratio(hit, true)


def f1(counts: NDArray[np.number]) -> Floats:
    """Harmonic mean of precision and recall, which is Dice's coefficient (1945), from counts (…, C, C)."""
    hit, true, predicted = _margins(counts)
    return ratio(2 * hit, true + predicted)


def pixel_accuracy(counts: NDArray[np.number]) -> Floats:
    """Share of all pixels that are seen as what they are, from counts (…, C, C)."""
    hit, true, _ = _margins(counts)
    return ratio(hit.sum(axis=-1), true.sum(axis=-1))


def mean_of_classes(values: Floats) -> Floats:
    """Average over the last axis, the classes, leaving out those that are NaN; NaN where all are."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def ratio(above: NDArray[np.number], below: NDArray[np.number]) -> Floats:
    """Divide; NaN where `below` is 0."""
    result = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=np.asarray(below) != 0)
    return result


def binary_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    union = int(np.logical_or(a, b).sum())
    return int(np.logical_and(a, b).sum()) / union if union else 1.0


def cut_out(predicted: ClassMap, truth: ClassMap, class_id: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give one class as seen and as true, 0 or 1, without ignored pixels, cut to the rectangle that holds both.

    Outside of it neither has the class; both are (0, 0) where neither has it anywhere.
    """
    seen, true = (predicted == class_id) & (truth != IGNORE), truth == class_id
    x, y, width, height = cv2.boundingRect((seen | true).view(np.uint8))
    part = np.s_[y : y + height, x : x + width]
    return seen[part].view(np.uint8), true[part].view(np.uint8)


def _margins(counts: NDArray[np.number]) -> tuple[NDArray[np.number], NDArray[np.number], NDArray[np.number]]:
    """Give by class the pixels right, true and predicted."""
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2)
