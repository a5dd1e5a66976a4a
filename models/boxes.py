"""Boxes: how well they agree, and what lies inside them on a map.

A box is x0, y0, x1, y1 as shares of the picture's width and height, so that it means the same on every map of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class Agreement(NamedTuple):
    """How well boxes agree, pair by pair."""

    iou: Tensor
    giou: Tensor  # -1 to 1; tells how far apart boxes without overlap are (Rezatofighi et al., arXiv:1902.09630)


def agreement(one: Tensor, other: Tensor) -> Agreement:
    """Compare (..., 4) boxes with as many others."""
    overlap = _area(torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:]))
    around = _area(torch.minimum(one[..., :2], other[..., :2]), torch.maximum(one[..., 2:], other[..., 2:]))
    union = _area(one[..., :2], one[..., 2:]) + _area(other[..., :2], other[..., 2:]) - overlap
    iou = overlap / union.clamp(min=1e-9)
    return Agreement(iou, iou - (around - union) / around.clamp(min=1e-9))


def _area(corner: Tensor, opposite: Tensor) -> Tensor:
    return (opposite - corner).clamp(min=0).prod(dim=-1)


def crop(maps: Tensor, boxes: Tensor, side: int, mode: Literal["bilinear", "nearest"] = "bilinear") -> Tensor:
    """Sample `side` by `side` points out of every box: RoIAlign (He et al., arXiv:1703.06870), one sample a bin.

    Made of `grid_sample`, which is a standard operator of ONNX; RoIAlign's own operator is known to few chips.

    Args:
        maps: (N, C, h, w).
        boxes: (N, K, 4).
        side: points along each side of a box.
        mode: how a point between the map's pixels is read.

    Returns:
        (N * K, C, side, side) float32; 0 outside the map.
    """
    along = (torch.arange(side, device=boxes.device) + 0.5) / side
    inside = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=2)
    corners = boxes.float()[:, :, None, None]
    points = (corners[..., :2] + (corners[..., 2:] - corners[..., :2]) * inside) * 2 - 1
    found = functional.grid_sample(maps.float(), points.flatten(1, 2), mode, align_corners=False)
    n, channels = maps.shape[:2]
    return found.reshape(n, channels, -1, side, side).transpose(1, 2).reshape(-1, channels, side, side)
