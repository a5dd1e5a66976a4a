"""Equalise: scale the channels of a float network so that one grid suits them all; what it computes stays the same.

Cross-layer equalisation after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(ICCV 2019, arXiv:1906.04721), with ranges measured on pictures and carried through additions: a residual stream has one
scale per channel all along. Where an activation clips at a bound, a channel that stays below it is raised up to it at
most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from quantize.fold import NETWORK, PRE
from quantize.observe import channel_extremes
from quantize.wiring import Wiring, attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.picture import Picture

STRENGTH = 0.6
"""1 gives all channels the same range; less keeps the weights that read them more alike."""

MOST = 8.0
"""How far a channel is raised at most: further up, what the pictures did not show would be cut off."""

BELOW = 0.5
"""Of a bound, where a raised channel may come to lie: other pictures go up to twice as far before it is cut off."""

LINEAR = ("Add", "Clip", "Relu", "LeakyRelu", "Resize", "MaxPool", "AveragePool")
"""Operators between tensors whose channels must be scaled alike."""


def equalise(folded: onnx.ModelProto, pictures: Sequence[Picture]) -> onnx.ModelProto:
    """Give the same network with equalised channels.

    Args:
        folded: what `quantize.fold` made.
        pictures: calibration pictures, (H, W, 3) uint8 BGR at the network's input size.
    """
    model = onnx.ModelProto()
    model.CopyFrom(folded)
    _own_weights(model.graph)
    _even_input(model.graph)
    wiring = Wiring(model.graph)
    streams = _streams(wiring)
    if not streams:
        return model
    names = sorted({name for stream in streams for name in stream})
    extremes = channel_extremes(model, names, pictures)
    weights = {name: array.copy() for name, array in wiring.constants.items()}
    for stream in streams:
        factors = _factors(stream, wiring, extremes)
        for name in stream:
            _scale(name, factors, wiring, weights)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return model


def _even_input(graph: onnx.GraphProto) -> None:
    """Normalise all colours by one spread and by whole means: pixels are whole numbers, so that a grid can hold them.

    The first layer's weights and biases make up for it; only its padding, once the mean, is off by less than a step.
    """
    wiring = Wiring(graph)
    mean, spread = wiring.constants[f"{PRE}mean"], wiring.constants[f"{PRE}std"]
    (divided,) = (node for node in wiring.nodes if node.name == f"{PRE}divide")
    first = wiring.readers[divided.output[0]]
    if any(node.op_type != "Conv" or attribute(node, "group", 1) > 1 or len(node.input) < 3 for node in first):
        return
    common, whole = spread.mean(), np.round(mean)
    changed = {f"{PRE}mean": whole, f"{PRE}std": np.full_like(spread, common)}
    for node in first:
        kernel, bias = (wiring.constants[name] for name in node.input[1:3])
        changed[node.input[1]] = kernel * (common / spread)
        changed[node.input[2]] = bias + (kernel * ((whole - mean) / spread)).sum(axis=(1, 2, 3))
    for tensor in graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(numpy_helper.from_array(changed[tensor.name].astype(np.float32), tensor.name))


def _own_weights(graph: onnx.GraphProto) -> None:
    """Give every convolution weights of its own: those of two must not be scaled twice."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    taken: set[str] = set()
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        for place, name in enumerate(node.input[1:], 1):
            if name in taken and name in tensors:
                own = graph.initializer.add()
                own.CopyFrom(tensors[name])
                own.name = f"{name}/{node.name}"
                node.input[place] = own.name
            taken.add(name)


def _streams(wiring: Wiring) -> list[set[str]]:
    """Put tensors together whose channels must be scaled alike; only those that convolutions write and read."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            name = parents[name]
        return name

    fixed: set[str] = set()
    for node in wiring.nodes:
        ours = node.name.startswith(NETWORK)
        flowing = [name for name in (*node.input, *node.output) if name and name not in wiring.constants]
        for name in flowing:
            root(name)
        if ours and node.op_type in LINEAR and not _bends(node, wiring):
            for name in flowing[1:]:
                parents[root(name)] = root(flowing[0])
        elif not ours or node.op_type != "Conv" or any(name not in wiring.constants for name in node.input[1:]):
            fixed.update(flowing)
    fixed_roots = {root(name) for name in fixed}
    streams: dict[str, set[str]] = {}
    for name in parents:
        if root(name) not in fixed_roots:
            streams.setdefault(root(name), set()).add(name)
    return list(streams.values())


def _bends(node: onnx.NodeProto, wiring: Wiring) -> bool:
    """Say whether an operator is not proportional in each channel."""
    if node.op_type == "Clip":
        low, high = _bounds(node, wiring)
        return low != 0 or not high > 0
    return node.op_type == "Add" and any(name in wiring.constants for name in node.input)


def _bounds(node: onnx.NodeProto, wiring: Wiring) -> tuple[float, float]:
    given = [wiring.constants.get(name) for name in node.input[1:]]
    values = [float(np.ravel(value)[0]) if value is not None else np.nan for value in given]
    return values[0] if values else -np.inf, values[1] if len(values) > 1 else np.inf


def _factors(stream: set[str], wiring: Wiring, extremes: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Choose how far each channel is raised, 1 or more."""
    reach = np.max([np.abs(extremes[name]).max(axis=0) for name in stream], axis=0)
    reach = np.maximum(reach, 1e-6)
    factors: NDArray[np.float64] = np.minimum((reach.max() / reach) ** STRENGTH, MOST)
    for name in stream:
        clip = wiring.maker(name, "Clip")
        if clip is None:
            continue
        bound, top = _bounds(clip, wiring)[1], extremes[clip.input[0]][1]
        room = np.where(top < bound, np.maximum(1.0, BELOW * bound / np.maximum(top, 1e-6)), 1.0)
        factors = np.minimum(factors, room)
    return factors


def _scale(name: str, factors: NDArray[np.float64], wiring: Wiring, weights: dict[str, NDArray[np.float32]]) -> None:
    """Let the convolution that writes a tensor write it larger, and those that read it take it back."""
    across = factors.astype(np.float32)
    writer = wiring.maker(name, "Conv")
    if writer is not None:
        for place in writer.input[1:]:
            weights[place] *= across.reshape(-1, *[1] * (weights[place].ndim - 1))
    for reader in wiring.readers.get(name, []):
        if reader.op_type == "Conv" and reader.input[0] == name:
            kernel = weights[reader.input[1]]
            group = attribute(reader, "group", 1)
            per_group = np.repeat(across.reshape(group, 1, -1), kernel.shape[0] // group, axis=1)
            kernel /= per_group.reshape(kernel.shape[0], kernel.shape[1], *[1] * (kernel.ndim - 2))
