"""Average precision of instance masks, by the COCO tools: AP over IoU 0.50 to 0.95, AP50 and AP75.

After Lin et al., "Microsoft COCO" (ECCV 2014); the definitions are those of pycocotools' `COCOeval`.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.annotation import IGNORE, ClassMap, ObjectMap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MOST_DETECTIONS = 100
"""Per picture and class, best first: COCO's rule."""


class AveragePrecision(NamedTuple):
    """0 to 1; None where the truth has no object."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    by_class: tuple[float | None, ...]  # AP of each class


class Instances:
    """Objects of many pictures, as seen and as true, kept as run lengths."""

    def __init__(self) -> None:
        self._pictures: list[dict[str, Any]] = []
        self._true: list[dict[str, Any]] = []
        self._seen: list[dict[str, Any]] = []

    def add(
        self, seen: Iterable[tuple[int, float, NDArray[np.bool_]]], classes: ClassMap, objects: ObjectMap, count: int
    ) -> None:
        """Add one picture.

        Args:
            seen: class, score and mask (H, W) of each object that was seen.
            classes: (H, W), the truth.
            objects: (H, W), the truth's object numbers; detections on ignored pixels are no mistakes.
            count: of classes, the first being background.
        """
        picture = len(self._pictures) + 1
        height, width = classes.shape
        self._pictures.append({"id": picture, "height": height, "width": width})
        for number in np.flatnonzero(np.bincount(objects.ravel(), minlength=1)[1:]) + 1:
            inside = objects == number
            self._tell_true(picture, int(classes[inside][0]), inside, crowd=0)
        if (ignored := classes == IGNORE).any():
            for class_id in range(1, count):
                self._tell_true(picture, class_id, ignored, crowd=1)
        self._seen += [_annotation(picture, class_id, mask) | {"score": score} for class_id, score, mask in seen]

    def average_precision(self, count: int) -> AveragePrecision:
        """Score all pictures for `count` classes, the first being background."""
        with redirect_stdout(io.StringIO()):  # the COCO tools tell of every step
            truth, told = COCO(), COCO()
            categories = [{"id": class_id, "name": str(class_id)} for class_id in range(1, count)]
            for coco, annotations in ((truth, self._true), (told, self._seen)):
                numbered = [{**a, "id": i} for i, a in enumerate(annotations, start=1)]
                coco.dataset = {"images": self._pictures, "categories": categories, "annotations": numbered}
                coco.createIndex()
            scoring = COCOeval(truth, told, "segm")
            scoring.params.areaRng, scoring.params.areaRngLbl = scoring.params.areaRng[:1], ["all"]
            scoring.params.maxDets = [MOST_DETECTIONS]
            scoring.evaluate()
            scoring.accumulate()
        precision = scoring.eval["precision"][:, :, :, 0, 0]  # (IoU, recall, class); -1 where there is no object
        return AveragePrecision(
            ap=_mean(precision),
            ap50=_mean(precision[0]),
            ap75=_mean(precision[5]),
            by_class=(None, *(_mean(precision[:, :, place]) for place in range(count - 1))),
        )

    def _tell_true(self, picture: int, class_id: int, inside: NDArray[np.bool_], *, crowd: int) -> None:
        self._true.append(_annotation(picture, class_id, inside) | {"iscrowd": crowd})


def _annotation(picture: int, class_id: int, inside: NDArray[np.bool_]) -> dict[str, Any]:
    code = rle.encode(np.asfortranarray(inside, np.uint8))
    return {
        "image_id": picture,
        "category_id": class_id,
        "segmentation": code,
        "area": float(rle.area(code)),
        "iscrowd": 0,
    }


def _mean(precision: NDArray[np.float64]) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
