"""Layout: how the numbers of pictures and weights follow each other in memory."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

N = TypeVar("N", bound=nn.Module)


def lay_out(net: N, layout: torch.memory_format) -> N:
    """Lay the weights of `net` out."""
    return net.to(memory_format=layout)  # type: ignore[call-overload,no-any-return] # not in its stubs


def training_layout(net: nn.Module, device: torch.device) -> torch.memory_format:
    """Choose the layout to train in: channels last, as convolutions like it, where that is safe.

    On a processor, oneDNN writes past its buffer in the backward pass of a strided 1x1 convolution with fewer input
    channels than it works on at once, 16 with AVX-512 (uxlfoundation/oneDNN, issue 6035).
    """
    unsafe = any(
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < 16
        for layer in net.modules()
    )
    return torch.contiguous_format if unsafe and device.type == "cpu" else torch.channels_last
