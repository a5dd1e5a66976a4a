"""Measure: what a model saw on one picture against the truth, small enough to keep for every picture of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.regions import regions
from models.annotation import IGNORE
from models.metrics.aupro import overlap_counts
from models.metrics.blobs import FOUND, MISSED, least_object_px
from models.metrics.boundary import boundary_counts
from models.metrics.escape import NOTHING
from models.metrics.panoptic import Segments, segment_counts
from quantize.score import PictureScore, score_picture

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.mask import Mask, Plane
    from models.annotation import ObjectMap, Planes
    from models.archs import SeenObject
    from models.metrics import Counts, Floats
    from models.metrics.average_precision import Instances
    from models.metrics.reliability import Reliability
    from models.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a model saw on one picture."""

    classes: Plane  # (H, W), at frame size
    mask: Mask | None = None  # where the network gives a class and a score per pixel
    objects: tuple[SeenObject, ...] | None = None  # at frame size; of instance and panoptic models


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By which terms pictures are measured."""

    names: tuple[str, ...]  # of the classes
    rejecting: tuple[int, ...]  # classes whose regions make a part defective
    min_object_px: int | None = None  # none: by the size of each picture

    def least_px(self, pixels: int) -> int:
        """Give the size from which an object counts in a picture of so many pixels."""
        return self.min_object_px or least_object_px(pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMeasure:
    """One picture's counts."""

    sample: Sample
    score: PictureScore
    boundary: Counts  # (classes, 2) pixels of boundaries in both and in either
    certainty: float  # score of the most certain region that would be rejected
    defective: bool
    overlap: Floats | None  # (2, 256), for AUPRO
    segments: Floats | None  # (classes, 4), for PQ


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """What is only known over all pictures; measuring a picture adds to them."""

    reliability: Reliability  # of all pixels
    defect_reliability: Reliability  # of those seen as a class that makes a part defective
    instances: Instances | None


def measure(sample: Sample, view: View, truth: Planes, terms: Terms, pools: Pools) -> PictureMeasure:
    """Compare what was seen on one picture with its truth, and add it to `pools`."""
    count = len(terms.names)
    least_px = terms.least_px(truth.classes.size)
    score = score_picture(view.classes, truth.classes, count, least_px)
    if view.mask:
        _rely(view.mask, truth.classes, terms, pools)
    segments = None
    if view.objects is not None:
        numbered = _numbered(truth)
        if pools.instances:
            pools.instances.add(view.objects, truth.classes, numbered, count)
        segments = segment_counts(_segments(view, view.objects), Segments(truth.classes, numbered), count)
    return PictureMeasure(
        sample=sample,
        score=score,
        boundary=boundary_counts(view.classes, truth.classes, count),
        certainty=certainty(view, terms.names, terms.rejecting, least_px),
        defective=bool(score.blobs[list(terms.rejecting)][:, (FOUND, MISSED)].any()),
        overlap=overlap_counts(_map(view.mask), truth.classes) if view.mask and count == 2 else None,
        segments=segments,
    )


def certainty(view: View, names: Sequence[str], rejecting: Collection[int], least_px: int) -> float:
    """Give the score of the most certain region of these classes, as the device finds and scores them."""
    if view.mask:
        found = regions(view.mask, names, {names[class_id] for class_id in rejecting})
        scores = [region.score for region in found if region.area_px >= least_px]
    else:
        scores = [
            seen.score
            for seen in view.objects or ()
            if seen.class_id in rejecting and np.count_nonzero(seen.mask) >= least_px
        ]
    return max(scores, default=NOTHING)


def _rely(mask: Mask, truth: Plane, terms: Terms, pools: Pools) -> None:
    """Compare on the network's own grid, with the truth at the centre of each of its pixels."""
    true = cv2.resize(truth, mask.classes.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    known = true != IGNORE
    confidence, seen, right = mask.scores[known] / 255, mask.classes[known], mask.classes[known] == true[known]
    pools.reliability.add(confidence, right)
    defect = np.isin(seen, terms.rejecting)
    pools.defect_reliability.add(confidence[defect], right[defect])


def _map(mask: Mask) -> Plane:
    """Draw the probability of the second of two classes at frame size, 255 is 1.0."""
    grid = np.where(mask.classes == 1, mask.scores, 255 - mask.scores)
    return np.asarray(cv2.resize(grid, (mask.frame_width, mask.frame_height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _numbered(truth: Planes) -> ObjectMap:
    """Give the truth's objects; where nobody numbered any, the blobs of each class are."""
    from models.objects import number_blobs  # noqa: PLC0415 - comes with torch, which semantic models don't need

    if truth.objects.any():
        return truth.objects
    return number_blobs(truth.classes).clip(max=np.iinfo(np.uint16).max).astype(np.uint16)


def _segments(view: View, objects: Sequence[SeenObject]) -> Segments:
    """Paint the objects over the class map, the best on top; what is left of a class is one segment."""
    classes, numbers = view.classes.copy(), np.zeros(view.classes.shape, np.uint16)
    for number, seen in reversed(list(enumerate(objects, start=1))):
        classes[seen.mask], numbers[seen.mask] = seen.class_id, number
    return Segments(classes, numbers)
