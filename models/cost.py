"""Cost: what a network takes to see one picture, in floating-point operations and in time."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

from models.export import to_onnx
from models.turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.archs import Network
    from models.recipe import InputSpec


def layer_flops(net: Network, size: InputSpec) -> dict[_ConvNd, int]:
    """Count the floating-point operations of each convolution for one picture."""
    bare = copy.deepcopy(net).to("meta")  # shapes without values: nothing is computed
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        bare(*(value.to("meta") for value in net.example(size.height, size.width)))
    counts = counter.get_flop_counts()
    layers = {f"{type(net).__name__}.{name}": layer for name, layer in net.named_modules()}
    return {layer: sum(counts[name].values()) for name, layer in layers.items() if isinstance(layer, _ConvNd)}


def flops(net: Network, size: InputSpec) -> int:
    """Count the floating-point operations of all convolutions for one picture."""
    return sum(layer_flops(net, size).values())


def times_s(nets: Sequence[Network], size: InputSpec) -> list[float]:
    """Give each network's median time for one picture, exported and run in turns by ONNX Runtime on one thread."""
    import onnxruntime  # noqa: PLC0415 - nothing else here needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    models = [to_onnx(net.parts(size.height, size.width)[""]).SerializeToString() for net in nets]
    sessions = [onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for model in models]
    picture = np.zeros((1, 3, size.height, size.width), np.float32)
    return in_turns([partial(session.run, None, {"picture": picture}) for session in sessions])
