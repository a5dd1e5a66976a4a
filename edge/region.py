"""Region: one connected blob of one class, measured in pixels of the original frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edge.rle import Rle


class Box(NamedTuple):
    """An upright rectangle in frame pixels, origin top left, as COCO writes it."""

    x: int
    y: int
    width: int
    height: int


class Region(NamedTuple):
    """One connected blob of one class, in pixels of the original frame."""

    id: int  # from 1 within its frame, largest first
    class_id: int
    label: str
    score: float  # mean probability of the class inside the blob, 0 to 1
    bbox: Box
    area_px: int
    centroid: tuple[float, float]  # x, y
    segmentation: Rle
    zones: tuple[str, ...] = ()  # it lies in, as they are listed
