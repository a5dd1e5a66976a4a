"""Scores of masks: IoU per class, defects found, missed and false, severity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    ClassMap = NDArray[np.uint8]


@dataclass(slots=True)
class Confusion:
    """Pixel counts, truth by row, prediction by column, pooled over pictures."""

    classes: int
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.classes, self.classes), np.int64)

    def add(self, predicted: ClassMap, truth: ClassMap) -> None:
        """Count one picture; both (H, W) uint8 class indices."""
        code = truth.astype(np.int32).ravel() * self.classes + predicted.ravel()
        self.counts += np.bincount(code, minlength=self.classes**2).reshape(self.classes, self.classes)

    def iou(self) -> list[float]:
        """Intersection over union of each class; NaN where the class is in neither."""
        hit = np.diag(self.counts).astype(float)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hit
        return [float(h / u) if u else float("nan") for h, u in zip(hit, union, strict=True)]


def binary_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    union = int(np.logical_or(a, b).sum())
    return int(np.logical_and(a, b).sum()) / union if union else 1.0
