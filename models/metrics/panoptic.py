"""Panoptic quality: segments recognised, and how well, in one number.

After Kirillov et al., "Panoptic Segmentation" (CVPR 2019, arXiv:1801.00868): segments of one class match where their
IoU is above 0.5, which leaves each at most one partner; SQ is the mean IoU of the matches, RQ the F1 of matching, PQ
their product. Ignored pixels are cut out; an unmatched segment that lies in them by more than half is no mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.annotation import IGNORE, ClassMap, ObjectMap
from models.metrics import Floats, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

IOU_SUM, MATCHED, UNMATCHED_SEEN, UNMATCHED_TRUE = range(4)
_OBJECTS = 2**16


class Segments(NamedTuple):
    """One picture cut into segments: pixels with the same class and the same object number, 0 being a class's rest."""

    classes: ClassMap
    objects: ObjectMap


class Quality(NamedTuple):
    """By class, 0 to 1; NaN where there is no segment (`sq`: no match)."""

    pq: Floats
    sq: Floats
    rq: Floats


def segment_counts(predicted: Segments, truth: Segments, classes: int) -> Floats:
    """Match the segments of one picture, both (H, W); (classes, 4): IoU summed over matches, matches, unmatched ones.

    Pixels predicted as `IGNORE` belong to no segment.
    """
    seen_ids, seen = _number(predicted)
    true_ids, true = _number(truth)
    joint = np.bincount(seen * len(true_ids) + true, minlength=len(seen_ids) * len(true_ids))
    joint = joint.reshape(len(seen_ids), len(true_ids)).astype(float)
    seen_class, true_class = seen_ids // _OBJECTS, true_ids // _OBJECTS
    void_seen, void_true = seen_class == IGNORE, true_class == IGNORE
    seen_px, true_px = joint.sum(axis=1), joint.sum(axis=0)
    seen_lost, true_lost = joint[:, void_true].sum(axis=1), joint[void_seen].sum(axis=0)
    union = (seen_px - seen_lost)[:, None] + true_px - true_lost - joint
    same = (seen_class[:, None] == true_class) & ~void_true
    shared = np.where(same, ratio(joint, union), 0.0)
    row, column = np.nonzero(shared > 0.5)
    result = np.zeros((classes, 4))
    np.add.at(result[:, IOU_SUM], true_class[column], shared[row, column])
    np.add.at(result[:, MATCHED], true_class[column], 1)
    for kind, ids, lone, unknown in (
        (UNMATCHED_SEEN, seen_class, np.delete(np.arange(len(seen_ids)), row), void_seen | (2 * seen_lost > seen_px)),
        (
            UNMATCHED_TRUE,
            true_class,
            np.delete(np.arange(len(true_ids)), column),
            void_true | (2 * true_lost > true_px),
        ),
    ):
        np.add.at(result[:, kind], ids[lone[~unknown[lone]]], 1)
    return result


def panoptic_quality(counts: NDArray[np.number]) -> Quality:
    """Give PQ, SQ and RQ by class from counts (…, classes, 4)."""
    iou_sum, matched = counts[..., IOU_SUM], counts[..., MATCHED]
    all_ = matched + (counts[..., UNMATCHED_SEEN] + counts[..., UNMATCHED_TRUE]) / 2
    return Quality(pq=ratio(iou_sum, all_), sq=ratio(iou_sum, matched), rq=ratio(matched, all_))


def _number(segments: Segments) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the segments by class and object, and give each pixel its place in the list."""
    code = segments.classes.astype(np.int64) * _OBJECTS + np.where(segments.classes == IGNORE, 0, segments.objects)
    ids, places = np.unique(code.ravel(), return_inverse=True)
    return ids, places
