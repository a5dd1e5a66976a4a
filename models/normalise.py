"""Normalise: pictures as bytes become what a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from models.recipe import InputSpec


def normalise(pictures: Tensor, spec: InputSpec, layout: torch.memory_format = torch.channels_last) -> Tensor:
    """Turn (N, H, W, 3) uint8 BGR into (N, 3, H, W) float32 RGB, zero mean, unit spread."""
    rgb = pictures.flip(-1).permute(0, 3, 1, 2).float()
    mean = torch.tensor(spec.mean, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=pictures.device).view(1, 3, 1, 1)
    return ((rgb - mean) / std).contiguous(memory_format=layout)
