"""Shapes: what people draw, as run lengths of pixels, by the rule of the COCO tools."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from edge.rle import Rle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Ring = NDArray[np.float64]
"""(n, 2) x and y of a closed outline, in pixels; pixel centres lie at half numbers."""

MAX_OUTLINE_PX = 5_000_000
"""Length of one shape's outlines: a million times around a small picture is no drawing."""

MARGIN = 1.0
"""How far outside a shape may lie, in picture sizes: tools let the hand slip over the border, not across the room."""


def polygons(rings: Iterable[Sequence[float] | Ring], height: int, width: int) -> Rle:
    """Fill outlines as the COCO tools do; what several of them cover is marked once.

    Args:
        rings: each `x, y, x, y, …` or (n, 2), at least three points, in pixels.
        height: of the picture.
        width: of the picture.

    Raises:
        ValueError: too few points, a number that is not finite, or far outside the picture; says which.
    """
    flat = [_checked(ring, height, width) for ring in rings]
    if not flat:
        raise ValueError("has no outline")
    if sum(_length(ring) for ring in flat) > MAX_OUTLINE_PX:
        raise ValueError(f"its outlines are longer than {MAX_OUTLINE_PX} pixels")
    merged = coco.merge(coco.frPyObjects(flat, height, width))
    return Rle((height, width), str(merged["counts"], "ascii"))


def ellipse(centre: tuple[float, float], radii: tuple[float, float], angle_rad: float, height: int, width: int) -> Rle:
    """Fill an ellipse, turned by `angle_rad`. Raises ValueError as `polygons` does."""
    if not all(math.isfinite(v) for v in (*centre, *radii, angle_rad)):
        raise ValueError("has a number that is not finite")
    if max(radii) > 2 * max(height, width):
        raise ValueError(f"its radius of {max(radii):g} pixels is larger than the picture")
    steps = np.linspace(0, 2 * math.pi, 8 + int(4 * math.sqrt(max(*radii, 1.0))), endpoint=False)
    circle = np.stack([radii[0] * np.cos(steps), radii[1] * np.sin(steps)], axis=1)
    turn = np.array([[math.cos(angle_rad), math.sin(angle_rad)], [-math.sin(angle_rad), math.cos(angle_rad)]])
    return polygons([circle @ turn + np.asarray(centre)], height, width)


def union(parts: Sequence[Rle]) -> Rle:
    """Mark what any of `parts`, of one picture, marks."""
    merged = coco.merge([{"size": part.size, "counts": part.counts.encode()} for part in parts])
    return Rle(parts[0].size, str(merged["counts"], "ascii"))


def _checked(ring: Sequence[float] | Ring, height: int, width: int) -> list[float]:
    values = np.asarray(ring, np.float64).ravel()
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"an outline has {len(values) / 2:g} points: at least three are needed")
    if not np.isfinite(values).all():
        raise ValueError("an outline has a number that is not finite")
    points = values.reshape(-1, 2) / (width, height)
    if (points < -MARGIN).any() or (points > 1 + MARGIN).any():
        x, y = values.reshape(-1, 2)[np.abs(points - 0.5).max(axis=1).argmax()]
        raise ValueError(f"the point ({x:g}, {y:g}) lies far outside the picture of {width}x{height}")
    return [float(v) for v in values]


def _length(ring: Sequence[float]) -> float:
    points = np.asarray(ring).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())
