"""Layout: fast where it is safe."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.layout import training_layout

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("layer", "device", "layout"),
    [
        (nn.Conv2d(8, 16, 1, stride=2), CPU, torch.contiguous_format),
        (nn.Conv2d(8, 16, 1, stride=2), CUDA, torch.channels_last),
        (nn.Conv2d(16, 16, 1, stride=2), CPU, torch.channels_last),
        (nn.Conv2d(8, 16, 1), CPU, torch.channels_last),
        (nn.Conv2d(8, 16, 3, stride=2), CPU, torch.channels_last),
    ],
)
def test_channels_stand_last_but_where_it_corrupts_memory(
    layer: nn.Module, device: torch.device, layout: torch.memory_format
) -> None:
    assert training_layout(nn.Sequential(nn.ReLU(), layer), device) == layout
