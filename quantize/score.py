"""Score: one predicted class map against the truth, and many of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics import Confusion
from quantize.figures import Objects, Quality, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.mask import Plane

Counts = NDArray[np.int64]

MIN_OBJECT_PX = 64
"""Connected pixels of one class from this number on count as an object; smaller ones are specks of the labelling."""

MATCH = 0.25
"""An object is found when the other mask covers at least this share of it."""

RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScore:
    """How one predicted class map compares with the truth, in frame pixels."""

    counts: Counts  # (classes, classes) pixels, truth by row, prediction by column
    objects: tuple[Objects, ...]  # by class


def score_picture(predicted: Plane, truth: Plane, classes: int) -> PictureScore:
    """Compare two class maps of one size, (H, W) uint8."""
    confusion = Confusion(classes)
    confusion.add(predicted, truth)
    objects = [Objects(found=0, missed=0, false=0)]  # class 0 is what objects lie on
    objects += [_objects(predicted == c, truth == c) for c in range(1, classes)]
    return PictureScore(counts=confusion.counts, objects=tuple(objects))


def focus_iou(counts: Counts, focus: int) -> float:
    """Intersection over union of one class; NaN where neither mask has it."""
    hit = int(counts[focus, focus])
    union = int(counts[focus].sum() + counts[:, focus].sum()) - hit
    return hit / union if union else float("nan")


def severity(areas: Counts, focus: int) -> float:
    """Give the share of the object (all classes but the first) that is `focus`, 0 to 1.

    Where `focus` is the only class beside the first, its share of the whole picture is given.
    """
    whole = int(areas.sum()) if len(areas) == 2 else int(areas[1:].sum())
    return int(areas[focus]) / whole if whole else 0.0


def quality(scores: Sequence[PictureScore], groups: Sequence[str], names: Sequence[str], focus: int) -> Quality:
    """Put pictures together: IoU pooled over pixels, objects counted, severity in points, intervals over groups."""
    pooled = Confusion(len(names))
    pooled.counts += sum(s.counts for s in scores)
    errors = np.array([severity_error(s.counts, focus) for s in scores])
    hits = np.array([s.counts[focus, focus] for s in scores], float)
    unions = np.array([s.counts[focus].sum() + s.counts[:, focus].sum() for s in scores], float) - hits
    return Quality(
        pictures=len(scores),
        groups=len(set(groups)),
        iou={name: None if np.isnan(v) else float(v) for name, v in zip(names, pooled.iou(), strict=True)},
        focus_iou_interval=ratio_interval(hits, unions, groups),
        objects={name: _sum([s.objects[i] for s in scores]) for i, name in enumerate(names) if i},
        severity=Severity(
            mean_points=float(np.mean(errors)),
            median_points=float(np.median(errors)),
            max_points=float(np.max(errors)),
            mean_interval=ratio_interval(errors, np.ones(len(errors)), groups),
        ),
    )


def severity_error(counts: Counts, focus: int) -> float:
    """Give the difference of predicted and true severity in percentage points, without its sign."""
    return 100 * abs(severity(counts.sum(axis=0), focus) - severity(counts.sum(axis=1), focus))


def ratio_interval(
    above: NDArray[np.float64], below: NDArray[np.float64], groups: Sequence[str]
) -> tuple[float, float]:
    """Give the 95 % bootstrap interval of sum(above) / sum(below), drawing whole groups (seeded, 2000 times).

    Pictures of one object are no independent evidence; drawing groups says so.
    """
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    per_group = np.stack([np.bincount(index, values) for values in (above, below)])
    drawn = np.random.default_rng(0).integers(0, per_group.shape[1], (RESAMPLES, per_group.shape[1]))
    top, bottom = per_group[:, drawn].sum(axis=2)
    ratios = top[bottom > 0] / bottom[bottom > 0]
    if not len(ratios):
        return 0.0, 0.0
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _objects(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Objects:
    missed, found = _covered(truth, predicted)
    false, _ = _covered(predicted, truth)
    return Objects(found=found, missed=missed, false=false)


def _covered(mask: NDArray[np.bool_], by: NDArray[np.bool_]) -> tuple[int, int]:
    """Count the objects of `mask` that `by` does not cover, and those that it does."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    shared = np.bincount(labels[by], minlength=count)
    large = np.flatnonzero(areas[1:] >= MIN_OBJECT_PX) + 1
    covered = int((shared[large] >= MATCH * areas[large]).sum())
    return len(large) - covered, covered


def _sum(objects: Sequence[Objects]) -> Objects:
    return Objects(
        found=sum(o.found for o in objects), missed=sum(o.missed for o in objects), false=sum(o.false for o in objects)
    )
