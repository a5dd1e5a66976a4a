"""Score: one predicted class map against the truth, and many of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.metrics import Confusion, Counts, iou
from models.metrics.blobs import FALSE, FOUND, MISSED, blob_counts, least_object_px
from models.metrics.resamples import Resamples, interval
from quantize.figures import Objects, Quality, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.mask import Plane
    from models.metrics import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScore:
    """How one predicted class map compares with the truth, in frame pixels."""

    counts: Counts  # (classes, classes) pixels, truth by row, prediction by column
    blobs: Counts  # (classes, 3, size bins) objects found, missed and false


def score_picture(predicted: Plane, truth: Plane, classes: int, min_object_px: int | None = None) -> PictureScore:
    """Compare two class maps of one size, (H, W) uint8; objects count from `min_object_px` on, or by picture size."""
    confusion = Confusion(classes)
    confusion.add(predicted, truth)
    least_px = min_object_px or least_object_px(truth.size)
    return PictureScore(counts=confusion.counts, blobs=blob_counts(predicted, truth, classes, least_px))


def focus_iou(counts: Counts, focus: int) -> float:
    """Intersection over union of one class; NaN where neither mask has it."""
    return float(iou(counts)[focus])


def severity(areas: Counts, focus: int) -> float:
    """Give the share of the object (all classes but the first) that is `focus`, 0 to 1.

    Where `focus` is the only class beside the first, its share of the whole picture is given.
    """
    whole = int(areas.sum()) if len(areas) == 2 else int(areas[1:].sum())
    return int(areas[focus]) / whole if whole else 0.0


def quality(scores: Sequence[PictureScore], groups: Sequence[str], names: Sequence[str], focus: int) -> Quality:
    """Put pictures together: IoU pooled over pixels, objects counted, severity in points, intervals over groups."""
    counts = np.stack([s.counts for s in scores])
    blobs = np.sum([s.blobs for s in scores], axis=0)
    resamples = Resamples(groups)
    low_high = interval(iou(resamples.sums(counts))[:, focus])
    return Quality(
        pictures=len(scores),
        groups=len(set(groups)),
        iou={n: None if np.isnan(v) else float(v) for n, v in zip(names, iou(counts.sum(axis=0)), strict=True)},
        focus_iou_interval=low_high or (0.0, 0.0),
        objects={name: objects(blobs[i]) for i, name in enumerate(names) if i},
        severity=severity_figures(scores, focus, resamples),
    )


def objects(blobs: Counts) -> Objects:
    """Add up the objects of one class over their sizes."""
    found, missed, false = (int(blobs[kind].sum()) for kind in (FOUND, MISSED, FALSE))
    return Objects(found=found, missed=missed, false=false)


def severity_figures(scores: Sequence[PictureScore], focus: int, resamples: Resamples) -> Severity:
    """Say how far the severity is off, over pictures."""
    errors = np.array([severity_error(s.counts, focus) for s in scores])
    return Severity(
        mean_points=float(np.mean(errors)),
        median_points=float(np.median(errors)),
        max_points=float(np.max(errors)),
        mean_interval=interval(mean(resamples, errors)) or (0.0, 0.0),
    )


def mean(resamples: Resamples, values: Floats) -> Floats:
    """Average one value per picture over each draw."""
    return resamples.sums(values) / resamples.sums(np.ones(len(values)))


def severity_error(counts: Counts, focus: int) -> float:
    """Give the difference of predicted and true severity in percentage points, without its sign."""
    return 100 * abs(severity(counts.sum(axis=0), focus) - severity(counts.sum(axis=1), focus))
