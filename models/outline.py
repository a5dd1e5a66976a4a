"""Outline: one closed line around all that belongs to an object, as formats need that know polygons only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from pycocotools import mask as coco

from edge.rle import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.rle import Rle


class Outline(NamedTuple):
    """The outline of an object."""

    points: NDArray[np.int64]  # (n, 2) x and y of pixel corners
    rings: int  # detached parts and holes it runs around; between them it goes to and fro on one line


def outline(runs: Rle) -> Outline:
    """Run along the corners of the pixels, so that filling it by the rule of the COCO tools gives them back.

    Detached parts and holes hang on lines that are gone to and fro, which enclose nothing.

    Raises:
        ValueError: there are no pixels.
    """
    x, y, w, h = (int(v) for v in coco.toBbox({"size": runs.size, "counts": runs.counts.encode()}))
    if not w:
        raise ValueError("has no pixels")
    # On a grid three times as fine, the outermost pixels of a pixel lie beside its corners.
    fine = cv2.resize(decode(runs)[y : y + h, x : x + w], (3 * w, 3 * h), interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [(ring[:, 0].astype(np.int64) + 1) // 3 for ring in found]
    starts = [ring[:1] for ring in rings]
    there = [part for ring, start in zip(rings, starts, strict=True) for part in (ring, start)]
    path = np.concatenate([*there, *reversed(starts)])
    points: NDArray[np.int64] = path[(path != np.roll(path, 1, axis=0)).any(axis=1)]
    return Outline(np.add(points, (x, y)), len(rings))
