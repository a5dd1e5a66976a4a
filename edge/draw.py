"""Draw: masks and regions as files for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import PictureError
from edge.rle import decode

if TYPE_CHECKING:
    from pathlib import Path

    from edge.inspection import Inspection
    from edge.mask import Mask, Plane
    from edge.picture import Picture

COLOURS_BGR = ((75, 25, 230), (216, 99, 67), (25, 225, 255), (49, 130, 245), (180, 30, 145), (240, 240, 70))
"""Twelve-colour-set hues that stay apart for most colour-blind eyes (after S. Trubetskoy), by class."""

THUMBNAIL_WIDTH = 640
"""Pixels."""


def write_mask(path: Path, mask: Mask) -> None:
    """Write the class map at picture size as index PNG. Raises PictureError when it can't be written."""
    _write(path, mask.on_frame())


def write_overlay(path: Path, picture: Picture, inspection: Inspection) -> None:
    """Write the picture with its regions drawn in. Raises PictureError when it can't be written."""
    _write(path, overlay(picture, inspection))


def overlay(picture: Picture, inspection: Inspection) -> Picture:
    """Draw each region's outline and a veil of its class's colour into a copy of `picture`."""
    drawn = picture.copy()
    line = max(1, round(picture.shape[1] / 700))
    smallest_on_top = sorted(inspection.regions, key=lambda region: -region.area_px)
    for region in smallest_on_top:
        x, y, w, h = region.bbox
        colour = COLOURS_BGR[(region.class_id - 1) % len(COLOURS_BGR)]
        inside = decode(region.segmentation)[y : y + h, x : x + w]
        if region.area_px < 0.1 * picture.shape[0] * picture.shape[1]:  # a veil over the whole object hides it
            part = drawn[y : y + h, x : x + w]
            part[inside > 0] = (0.65 * part[inside > 0] + 0.35 * np.array(colour)).astype(np.uint8)
        contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
        cv2.drawContours(drawn, contours, -1, colour, line, cv2.LINE_AA)
    return drawn


def thumbnail(picture: Picture, inspection: Inspection) -> bytes:
    """Draw the regions into the picture and encode it as a JPEG, at most `THUMBNAIL_WIDTH` wide."""
    drawn = overlay(picture, inspection)
    height, width = drawn.shape[:2]
    scale = min(1.0, THUMBNAIL_WIDTH / width)
    small = cv2.resize(drawn, (round(width * scale), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small)[1].data)


def _write(path: Path, picture: Picture | Plane) -> None:
    ok, data = cv2.imencode(path.suffix, picture)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes() if ok else b"")
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror}: give a folder that can be written") from error
