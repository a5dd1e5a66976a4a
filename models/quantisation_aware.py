"""Quantisation-aware training: the network learns while its numbers are rounded as an integer chip rounds them.

The rounding of Jacob et al. (arXiv:1712.05877): weights symmetric with a scale per output channel, activations with a
scale and a zero point per tensor; gradients pass as if nothing had been rounded. Scales are measured on each batch and
not kept: what is exported is float, and whoever quantises it for a chip measures them anew. Batch normalisation need
not be folded meanwhile: it scales whole output channels, and a channel's rounding scales with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

OUTPUT_AXIS = {torch.conv2d: 0, torch.conv_transpose2d: 1, functional.linear: 0}
"""What integer chips compute, and where the output channels stand in its weights."""

SMALLEST = 1e-8
"""Scale of what is all zero."""


class Rounding(TorchFunctionMode):
    """While it is entered, convolutions and linear layers see rounded weights and rounded inputs."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Round the first two arguments, input and weight, of what integer chips compute."""
        if func in OUTPUT_AXIS:
            given, weight, *others = args
            args = (rounded(given, self._bits), rounded_by_channel(weight, self._bits, OUTPUT_AXIS[func]), *others)
        return func(*args, **(kwargs or {}))


def keep_statistics(net: nn.Module) -> None:
    """Let batch normalisation use the statistics that it has, as the device will; it learns its weights alone.

    Those of small batches differ, and rounding makes much of the difference (Krishnamoorthi, arXiv:1806.08342).
    """
    for layer in net.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()


def rounding(bits: int | None) -> AbstractContextManager[object]:
    """Round to so many bits while it is entered; None rounds nothing."""
    return contextlib.nullcontext() if bits is None else Rounding(bits)


def rounded(values: Tensor, bits: int) -> Tensor:
    """Round to 2 to the power of `bits` even steps between the smallest and the largest value, 0 being one of them."""
    steps = 2**bits - 1
    values = values.float()
    low, high = values.detach().aminmax()
    low, high = low.clamp_max(0), high.clamp_min(0)
    scale = ((high - low) / steps).clamp_min(SMALLEST)
    zero = (-low / scale).round().to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, steps)


def rounded_by_channel(weight: Tensor, bits: int, axis: int) -> Tensor:
    """Round to even steps, as many above 0 as below, up to the largest weight of each channel along `axis`."""
    steps = 2 ** (bits - 1) - 1
    others = [dim for dim in range(weight.ndim) if dim != axis]
    scale = (weight.detach().abs().amax(others) / steps).clamp_min(SMALLEST)
    return torch.fake_quantize_per_channel_affine(
        weight, scale, torch.zeros_like(scale, dtype=torch.int32), axis, -steps, steps
    )
