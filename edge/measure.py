"""Measure: lengths of regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge import rle

if TYPE_CHECKING:
    from edge.region import Region


def length_px(region: Region) -> float:
    """Give the longest distance across the region (maximum Feret diameter), counted over whole pixels."""
    height, _ = region.segmentation.size
    runs = rle.runs_of(region.segmentation)
    ends = np.cumsum(runs)
    begins, ends = ends[0::2][: len(runs) // 2], ends[1::2]  # runs of ones; in column-major order
    first, last = begins, ends - 1
    at = np.concatenate([first, last])
    if np.any(first // height != last // height):  # a run that goes on in the next column fills both to their ends
        at = np.concatenate([at, first // height * height + height - 1, last // height * height])
    columns, rows = np.divmod(at, height)
    corners = np.column_stack([columns, rows]).astype(np.float32)
    offsets = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32)
    hull = cv2.convexHull((corners[:, None, :] + offsets).reshape(-1, 2))[:, 0]
    return float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2)).max())
