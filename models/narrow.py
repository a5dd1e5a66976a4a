"""Narrow: give layers the channel counts that pruning left them, so that a pruned network can be built again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.archs import Network

SMALLEST_PX = 64
"""A picture this wide and high goes through every network."""


def channel_counts(net: Network) -> dict[str, tuple[int, ...]]:
    """List the first two dimensions of each layer's weight, one where there is one, by the layer's name."""
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, _ConvNd | _BatchNorm)}
    return {name: tuple(layer.weight.shape[:2]) for name, layer in layers.items()}


def narrow(net: Network, counts: Mapping[str, Sequence[int]]) -> None:
    """Cut the layers named in `counts` down to those first dimensions of their weights.

    Raises:
        ValueError: a layer is not there or not as wide, or the layers no longer fit together.
    """
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, _ConvNd | _BatchNorm)}
    for name, wanted in counts.items():
        if name not in layers:
            raise ValueError(f"channels: {name}: no convolution or batch normalisation has this name")
        layer = layers[name]
        own = layer.weight.shape[:2]
        if len(wanted) != len(own) or any(n > most for n, most in zip(wanted, own, strict=True)):
            raise ValueError(f"channels: {name}: {list(wanted)} can't be cut out of {list(own)}")
        _cut(layer, wanted)
    if counts:
        _try(net)


def _try(net: Network) -> None:
    try:
        with torch.no_grad():
            net.eval()(*net.example(SMALLEST_PX, SMALLEST_PX))
    except RuntimeError as error:
        raise ValueError("channels: the layers don't fit together: take them as pruning wrote them") from error
    finally:
        net.train()


def _cut(layer: _ConvNd | _BatchNorm, wanted: Sequence[int]) -> None:
    layer.weight = nn.Parameter(layer.weight.detach()[tuple(slice(n) for n in wanted)].clone())
    if isinstance(layer, _ConvNd):
        first, second = wanted
        if layer.groups > 1:  # each channel by itself
            layer.groups = first
        into, out = (
            (first, second * layer.groups) if isinstance(layer, _ConvTransposeNd) else (second * layer.groups, first)
        )
        layer.in_channels, layer.out_channels = into, out
    else:
        (out,) = wanted
        layer.num_features = out
        for name in ("running_mean", "running_var"):
            setattr(layer, name, getattr(layer, name)[:out].clone())
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.detach()[:out].clone())
