"""Resize a picture to the network's input, the same way in training, calibration and on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.pictures.image import decoded
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from edge.picture import Picture
    from edge.pictures.image import Image

PREPARE_VERSION = "halve-linear/1"
"""Part of the processing hash in every receipt: change it whenever `prepare` gives other pixels."""


def prepare(picture: Image, width: int, height: int) -> Picture:
    """Resize `picture`, (H, W, 3) uint8, to (height, width, 3) uint8, keeping the colour order.

    The picture is stretched when its shape differs from the network's. Planes are resized each by itself and become
    BGR at the network's size: three grey levels at most from what their BGR picture gives, where no colour is clipped.
    """
    seen = decoded(picture)
    if isinstance(seen, Planes):
        return _prepare_planes(seen, width, height)
    return _stretch(halve(seen, width, height), width, height)


def _prepare_planes(planes: Planes, width: int, height: int) -> Picture:
    y = halve(planes.y, width, height)
    h, w = y.shape
    u, v = (halve(plane, w, h)[:h, :w] for plane in (planes.u, planes.v))
    if u.shape == y.shape:  # stretched together, which takes a seventh less than one by one
        return planes.coloured(_stretch(np.asarray(cv2.merge((y, u, v)), np.uint8), width, height))
    return planes.coloured(cv2.merge([_stretch(plane, width, height) for plane in (y, u, v)]))


def _stretch(picture: Picture, width: int, height: int) -> Picture:
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def halve(picture: Picture, width: int, height: int) -> Picture:
    """Reduce `picture`, or a plane of one, by exact 2x2 averages while it is at least twice as large as asked for.

    Averaging keeps a small defect that interpolation would step over; what is left to interpolate is under a
    factor of two.
    """
    h, w = picture.shape[:2]
    while w >= 2 * width and h >= 2 * height:
        w, h = w // 2, h // 2
        smaller = cv2.resize(picture[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)
        picture = np.asarray(smaller, np.uint8)
    return picture
