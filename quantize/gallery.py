"""Gallery: picture, truth, float, INT8 and their difference side by side, small enough to live in a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.segment import open_reference, open_segmenter
from quantize.evaluate import class_specs, read_sample
from quantize.score import MIN_OBJECT_PX, focus_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bundle import Bundle
    from edge.frame import Picture
    from edge.manifest import ClassInfo
    from edge.mask import Plane
    from quantize.parity import PictureParity

WIDTH = 512
ENOUGH = 8  # with fewer pictures all may be shown
DIFFERENCE = (255, 0, 255)  # BGR; magenta stands out on every real picture
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
"""RGB; Okabe and Ito's colours, told apart by colour-blind readers: for classes that name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture of the gallery."""

    why: str
    name: str
    float_iou: float  # of the focus class with the truth; NaN where neither has it
    int8_iou: float
    agreement: float
    pictures: tuple[str, ...]  # data URIs: picture, truth, float, INT8, difference


def gallery(bundle: Bundle, target: str, measured: Sequence[PictureParity]) -> list[Row]:
    """Draw the worst, median and best pictures, and the ones where float and INT8 differ most.

    Raises:
        BundleError, ModelError, DatasetError: as measuring them does.
    """
    manifest = bundle.manifest
    rows = []
    with open_reference(bundle) as reference, open_segmenter(bundle, target) as small:
        for why, item in pick(measured, manifest.focus_id):
            picture, truth = read_sample(item.sample, class_specs(manifest))
            float_, int8 = reference(picture).on_frame(), small(picture).on_frame()
            size = (WIDTH, round(picture.shape[0] * WIDTH / picture.shape[1]))
            drawn = [
                picture,
                *(overlay(picture, m, manifest.classes, manifest.focus_id) for m in (truth, float_, int8)),
            ]
            images = [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in drawn]
            images.append(_difference(images[0], float_ != int8))
            rows.append(
                Row(
                    why=why,
                    name=item.sample.picture.name,
                    float_iou=focus_iou(item.float_.counts, manifest.focus_id),
                    int8_iou=focus_iou(item.int8.counts, manifest.focus_id),
                    agreement=focus_iou(item.between, manifest.focus_id),
                    pictures=tuple(data_uri(image) for image in images),
                )
            )
    return rows


def pick(measured: Sequence[PictureParity], focus: int) -> list[tuple[str, PictureParity]]:
    """Choose pictures by agreement between float and INT8, and by INT8's IoU with the truth; none stands twice."""
    apart = [m for m in measured if m.between[focus].sum() >= MIN_OBJECT_PX] or list(measured)
    apart.sort(key=lambda m: np.nan_to_num(focus_iou(m.between, focus), nan=1.0))
    chosen = [("Float and INT8 differ most", m) for m in apart[:2]]
    taken = {str(m.sample.picture) for m in apart[:2]}
    seen = [m for m in measured if m.int8.counts[focus].sum() >= MIN_OBJECT_PX or len(measured) < ENOUGH]
    left = [m for m in seen if str(m.sample.picture) not in taken]
    left.sort(key=lambda m: np.nan_to_num(focus_iou(m.int8.counts, focus), nan=1.0))
    middle = min(max(2, len(left) // 2), len(left))
    chosen += [("Worst against the truth", m) for m in left[:2]]
    chosen += [("Median against the truth", m) for m in left[middle : middle + 2]]
    chosen += [("Best against the truth", m) for m in left[max(middle + 2, len(left) - 1) :]]
    return chosen


def overlay(picture: Picture, classes: Plane, infos: Sequence[ClassInfo], focus: int) -> Picture:
    """Fill the focus class and draw the outlines of the others, but the first; (H, W, 3) uint8 BGR."""
    result = picture.copy()
    thickness = max(2, 3 * picture.shape[1] // WIDTH)
    for index in range(1, len(infos)):
        mask = (classes == index).astype(np.uint8)
        if index != focus:
            mask |= (classes == focus).astype(np.uint8)  # the outline of the whole object, not of the holes in it
        colour = class_colour(infos, index)[::-1]
        if index == focus:
            tint = np.array(colour, np.float32)
            result[mask > 0] = (0.35 * result[mask > 0] + 0.65 * tint).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(result, outlines, -1, colour, thickness if index != focus else 1)
    return result


def class_colour(infos: Sequence[ClassInfo], index: int) -> tuple[int, int, int]:
    """Give the RGB colour in which a class is drawn."""
    return infos[index].colour or PALETTE[(index - 1) % len(PALETTE)]


def data_uri(picture: Picture) -> str:
    """Encode a picture as a JPEG data URI."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _difference(picture: Picture, differs: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Picture:
    """Mark differing pixels on a dimmed grey picture; one that differs anywhere in a small pixel's area shows."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    result = np.asarray(128 + grey // 4, np.uint8)
    share = cv2.resize(differs.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    result[share > 0] = DIFFERENCE
    return result
