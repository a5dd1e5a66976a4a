"""Copy-paste: put an object of one picture onto another, after Ghiasi et al., arXiv:2012.07177, with tones matched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from models.annotation import IGNORE
from models.augment import draw_bend
from models.example import Example

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from edge.region import Box
    from models.example import U8, Spot
    from models.recipe import AugmentSpec

TRIES = 10
"""Places tried for one object before it is given up."""

RING_PX = 3
"""How far around an object its ground is looked at: its class and its tone."""


class Patch(NamedTuple):
    """An object cut out, bent, with what surrounds it."""

    picture: U8  # (h, w, 3)
    inside: NDArray[np.bool_]  # (h, w)
    ring: NDArray[np.bool_]  # (h, w), the ground next to it
    class_id: int
    ground: int  # the class it lies on


def paste(host: Example, patch: Patch, area: Box, rng: Generator) -> Example | None:
    """Put `patch` somewhere in `area` where its ground is what it came from; None where no such place is found."""
    h, w = patch.inside.shape
    if w > area.width or h > area.height:
        return None
    for _ in range(TRIES):
        x = area.x + int(rng.integers(area.width - w + 1))
        y = area.y + int(rng.integers(area.height - h + 1))
        if (host.classes[y : y + h, x : x + w][patch.inside | patch.ring] == patch.ground).all():
            return _blend(host, patch, x, y)
    return None


def cut_out(donor: Example, spot: Spot, spec: AugmentSpec, rng: Generator) -> Patch | None:
    """Cut an object out and bend it; None where the picture's border cuts it or its ground is not known."""
    x, y, w, h = spot.box
    height, width = donor.classes.shape
    if x == 0 or y == 0 or x + w == width or y + h == height:
        return None
    rotation, stretch_x, stretch_y = draw_bend(spec, rng)
    linear = rotation @ np.diag([stretch_x, stretch_y])
    side_x, side_y = (math.ceil(v) + 2 * RING_PX + 2 for v in np.abs(linear) @ [w, h])
    shift = np.array([side_x / 2, side_y / 2]) - linear @ [x + w / 2, y + h / 2]
    matrix = np.hstack([linear, shift[:, None]])
    picture = cv2.warpAffine(donor.picture, matrix, (side_x, side_y), borderMode=cv2.BORDER_REPLICATE)
    member = (donor.objects == spot.number).astype(np.uint8)
    inside = cv2.warpAffine(member, matrix, (side_x, side_y), flags=cv2.INTER_NEAREST)
    classes = cv2.warpAffine(donor.classes, matrix, (side_x, side_y), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    ring = cv2.dilate(inside, np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)) - inside
    votes = np.bincount(np.asarray(classes, np.uint8)[ring > 0], minlength=256)
    votes[[spot.class_id, IGNORE]] = 0
    if not votes.any():
        return None
    return Patch(np.asarray(picture, np.uint8), inside > 0, ring > 0, spot.class_id, int(votes.argmax()))


def _blend(host: Example, patch: Patch, x: int, y: int) -> Example:
    h, w = patch.inside.shape
    picture, classes, objects = host.picture.copy(), host.classes.copy(), host.objects.copy()
    there = picture[y : y + h, x : x + w]
    tone = there[patch.ring].mean(axis=0) - patch.picture[patch.ring].mean(axis=0)
    soft = cv2.GaussianBlur(cv2.dilate(patch.inside.astype(np.float32), np.ones((3, 3), np.uint8)), (0, 0), 1.0)
    share = np.asarray(soft, np.float32)[..., None]
    there[:] = np.clip(there + share * (patch.picture + tone - there), 0, 255).astype(np.uint8)
    classes[y : y + h, x : x + w][patch.inside] = patch.class_id
    objects[y : y + h, x : x + w][patch.inside] = min(int(objects.max()) + 1, np.iinfo(np.uint16).max)
    return Example(picture, classes, objects)
