"""Gallery: picture, truth, float, INT8 and their difference side by side, small enough to live in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.segment import open_reference, open_segmenter
from models.metrics.blobs import least_object_px
from quantize.charts import percent
from quantize.evaluate import class_specs, read_sample
from quantize.overlay import Row, data_uri, marked, overlay, shrunk
from quantize.score import focus_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bundle import Bundle
    from edge.manifest import TargetInfo
    from quantize.parity import PictureParity

ENOUGH = 8  # with fewer pictures all may be shown
CAPTIONS = ("Picture", "Truth", "Float", "INT8", "Float against INT8")
DIFFERENCE = (255, 0, 255)  # RGB; magenta stands out on every real picture


def gallery(bundle: Bundle, target: str, stand_in: TargetInfo, measured: Sequence[PictureParity]) -> list[Row]:
    """Draw the worst, median and best pictures, and the ones where float and INT8 differ most.

    Raises:
        BundleError, ModelError, DatasetError: as measuring them does.
    """
    manifest = bundle.manifest
    rows = []
    with open_reference(bundle) as reference, open_segmenter(bundle, target, stand_in=stand_in) as small:
        for why, item in pick(measured, manifest.focus_id):
            picture, truth = read_sample(item.sample, class_specs(manifest))
            float_, int8 = reference(picture).on_frame(), small(picture).on_frame()
            filled = (manifest.focus_id,)
            drawn = [picture, *(overlay(picture, m, manifest.classes, filled) for m in (truth, float_, int8))]
            images = [shrunk(image) for image in drawn]
            images.append(marked(images[0], [(float_ != int8, DIFFERENCE)]))
            against = [percent(focus_iou(side.counts, manifest.focus_id)) for side in (item.float_, item.int8)]
            told = (
                f"IoU of {manifest.focus} with the truth {against[0]} float, {against[1]} INT8; "
                f"float and INT8 agree to {percent(focus_iou(item.between, manifest.focus_id))}"
            )
            forms = tuple(zip(CAPTIONS, map(data_uri, images), strict=True))
            rows.append(Row(why=why, name=item.sample.picture.name, told=told, pictures=forms))
    return rows


def pick(measured: Sequence[PictureParity], focus: int) -> list[tuple[str, PictureParity]]:
    """Choose pictures by agreement between float and INT8, and by INT8's IoU with the truth; none stands twice."""
    apart = [m for m in measured if m.between[focus].sum() >= _least(m)] or list(measured)
    apart.sort(key=lambda m: np.nan_to_num(focus_iou(m.between, focus), nan=1.0))
    chosen = [("Float and INT8 differ most", m) for m in apart[:2]]
    taken = {str(m.sample.picture) for m in apart[:2]}
    seen = [m for m in measured if m.int8.counts[focus].sum() >= _least(m) or len(measured) < ENOUGH]
    left = [m for m in seen if str(m.sample.picture) not in taken]
    left.sort(key=lambda m: np.nan_to_num(focus_iou(m.int8.counts, focus), nan=1.0))
    middle = min(max(2, len(left) // 2), len(left))
    chosen += [("Worst against the truth", m) for m in left[:2]]
    chosen += [("Median against the truth", m) for m in left[middle : middle + 2]]
    chosen += [("Best against the truth", m) for m in left[max(middle + 2, len(left) - 1) :]]
    return chosen


def _least(measured: PictureParity) -> int:
    return least_object_px(int(measured.between.sum()))
