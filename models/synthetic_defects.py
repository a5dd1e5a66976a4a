"""Synthetic defects: made-up marks on good pictures, for lines that have few pictures of bad parts, or none yet.

Shapes are clouds of noise (DRAEM, Zavrtanik et al., arXiv:2108.07610), patches (CutPaste, Li et al., arXiv:2104.04015),
blobs and scratches; what fills them is another place's texture or another tone. As in NSA (Schlüter et al.,
arXiv:2109.15222) a pixel counts as defective only where its change can be seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.annotation import IGNORE
from models.example import Example
from models.objects import number_blobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from models.example import U8

Floats = NDArray[np.float32]

MOST = 3
"""Defects on one picture."""

VISIBLE = 6.0
"""Grey levels, averaged over a few pixels, from which on a change counts as seen."""

SIZES = (0.015, 0.6)
"""Smallest and largest length of a defect, of the picture's shorter side; each order of magnitude is as likely."""

SOFTNESS = (0.002, 0.05)
"""Spread of an edge, of the same: from that of a chip to that of a shadow."""


def spoil(example: Example, donor: U8, class_id: int, rng: Generator) -> Example:
    """Put one to three defects on a picture.

    Args:
        example: a picture and its truth, which stays as it is elsewhere.
        donor: another picture, of any size, whose texture may show up in this one.
        class_id: what the truth says where a defect is seen; it says `IGNORE` where nobody could tell.
        rng: the only source of chance.
    """
    after, touched = example.picture.astype(np.float32), np.zeros(example.classes.shape, np.bool_)
    for _ in range(rng.integers(1, MOST + 1)):
        _spoil_once(after, touched, donor, rng)
    picture = np.clip(np.rint(after), 0, 255).astype(np.uint8)
    change = cv2.GaussianBlur(picture.astype(np.float32) - example.picture, (0, 0), 1.0)
    seen = np.abs(change).max(axis=2) >= VISIBLE
    classes = np.where(touched, np.where(seen, class_id, IGNORE), example.classes).astype(np.uint8)
    defects = number_blobs((touched & seen).astype(np.uint8))
    objects = np.where(touched, defects + (defects > 0) * int(example.objects.max(initial=0)), example.objects)
    return Example(picture, classes, objects.astype(np.uint16))


def _spoil_once(after: Floats, touched: NDArray[np.bool_], donor: U8, rng: Generator) -> None:
    """Draw one defect into `after`, (H, W, 3), and mark its place."""
    side = min(touched.shape)
    length_px = max(2.0, side * _log_uniform(SIZES, rng))
    sigma_px = side * _log_uniform(SOFTNESS, rng) if rng.random() < 0.6 else 0.0
    share = SHAPES[rng.integers(len(SHAPES))](length_px, math.ceil(2 * sigma_px) + 2, rng)
    if sigma_px:
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), sigma_px), np.float32)
        share /= max(float(share.max()), 1e-6)
    top, left = (int(rng.integers(size)) - len(share) // 2 for size in touched.shape)
    share = share[max(0, -top) : touched.shape[0] - top, max(0, -left) : touched.shape[1] - left]
    place = (slice(max(0, top), max(0, top) + share.shape[0]), slice(max(0, left), max(0, left) + share.shape[1]))
    here = after[place]
    here += share[..., None] * (FILLINGS[rng.integers(len(FILLINGS))](here, donor, rng) - here)
    touched[place] |= share > 0.5


def _cloud(length_px: float, margin_px: int, rng: Generator) -> Floats:
    """Draw what lies above a threshold in smooth noise, inside a blob."""
    window = _blob(length_px, margin_px, rng)
    noise = np.zeros(window.shape, np.float32)
    for octave in range(3):
        cells = 2 ** (int(rng.integers(1, 3)) + octave) + 1
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        noise += cv2.resize(grid, window.shape, interpolation=cv2.INTER_CUBIC) / 2**octave
    return window * (noise > np.quantile(noise, rng.uniform(0.2, 0.7)))


def _blob(length_px: float, margin_px: int, rng: Generator) -> Floats:
    """Draw an ellipse."""
    share, middle = _canvas(length_px, margin_px)
    axes = (max(1, round(length_px / 2)), max(1, round(length_px / 2 * rng.uniform(0.2, 1))))
    cv2.ellipse(share, (middle, middle), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    return share


def _patch(length_px: float, margin_px: int, rng: Generator) -> Floats:
    """Draw a turned rectangle."""
    share, middle = _canvas(length_px, margin_px)
    sides = (length_px * 0.7, max(2.0, length_px * 0.7 * rng.uniform(0.1, 1)))
    corners = cv2.boxPoints(((middle, middle), sides, float(rng.uniform(0, 180))))
    cv2.fillConvexPoly(share, np.rint(corners).astype(np.int32), 1.0)
    return share


def _scratch(length_px: float, margin_px: int, rng: Generator) -> Floats:
    """Draw a thin line that wanders."""
    share, middle = _canvas(length_px, margin_px)
    steps = int(rng.integers(2, 16))
    turns = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, rng.uniform(0, 0.5), steps))
    path = length_px / steps * np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    path += middle - (path.min(axis=0) + path.max(axis=0)) / 2
    thickness = 1 + int(length_px * rng.uniform(0, 0.06))
    cv2.polylines(share, [np.rint(path).astype(np.int32)], isClosed=False, color=1.0, thickness=thickness)
    return share


def _canvas(length_px: float, margin_px: int) -> tuple[Floats, int]:
    side = math.ceil(length_px) + 2 * margin_px + 1
    return np.zeros((side, side), np.float32), side // 2


def _elsewhere(here: Floats, donor: U8, rng: Generator) -> Floats:
    """Give another place of the donor, turned, at another size, perhaps brighter or darker."""
    height, width = here.shape[:2]
    matrix = cv2.getRotationMatrix2D((0, 0), float(rng.uniform(0, 360)), _log_uniform((0.5, 2.0), rng))
    matrix[:, 2] += (width / 2, height / 2) - matrix[:, :2] @ (rng.uniform(0, 1, 2) * donor.shape[1::-1])
    there = cv2.warpAffine(donor, matrix, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    return there + np.float32(_step(rng) if rng.random() < 0.5 else 0)


def _tone(here: Floats, donor: U8, rng: Generator) -> Floats:
    """Give the same place brighter or darker; where the donor has colours, perhaps also in another colour."""
    coloured = bool((donor[..., :1] != donor).any()) and rng.random() < 0.5
    return here + np.array([_step(rng) for _ in range(3)] if coloured else _step(rng), np.float32)


def _step(rng: Generator) -> float:
    """Draw a difference of grey levels that can be seen, small ones more often."""
    return float(rng.choice([-1, 1])) * _log_uniform((8, 110), rng)


def _log_uniform(limits: tuple[float, float], rng: Generator) -> float:
    return math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1])))


SHAPES: tuple[Callable[[float, int, Generator], Floats], ...] = (_cloud, _blob, _patch, _scratch)
FILLINGS: tuple[Callable[[Floats, U8, Generator], Floats], ...] = (_elsewhere, _tone)
