"""Rounding: weights as INT8, each weight's error made up for by those that are still to be rounded.

Frantar et al., "GPTQ: Accurate Post-Training Quantization" (ICLR 2023, arXiv:2210.17323): what counts is the layer's
output on real inputs, whose second moments say which errors cancel. A convolution's mean error is then taken out of its
bias (Nagel et al., arXiv:1906.04721, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantize.observe import flow
from quantize.wiring import attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from edge.picture import Picture
    from quantize.wiring import Wiring

    Doubles = NDArray[np.float64]

MOST = 127
"""Of an INT8 weight; -128 is left out, so that weights are symmetric."""

MOST_OF_TWO = 126
"""Of two neighbouring weights of one sign: processors without VNNI add two products of an INT8 weight and a UINT8 input
in 16 bits, where 128 times 255 still fits; what compensating adds has room."""

DAMPING = 0.01
"""Of the mean second moment, added to all: directions that no picture shows are left alone."""

POSITIONS = 300
"""Output pixels that each picture contributes."""

WIDEST = 4608
"""Inputs of an output pixel above which second moments would need too much memory: such layers are rounded plainly."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A layer's weights as integers."""

    values: NDArray[np.int8]  # shaped as the layer's own
    scales: NDArray[np.float32]  # per output channel
    axis: int  # of the output channels
    bias: NDArray[np.float32] | None


@dataclass(slots=True)
class _Moments:
    """Of the inputs of a layer's output pixels, per group."""

    count: int
    sums: Doubles  # (groups, d)
    products: Doubles  # (groups, d, d)


def round_weights(
    model: onnx.ModelProto, layers: Sequence[onnx.NodeProto], wiring: Wiring, pictures: Sequence[Picture], seed: int = 0
) -> tuple[dict[str, Weights], dict[str, Weights]]:
    """Round the weights of convolutions, by node name; `model` runs on the pictures as it is.

    The second ones are for processors that add two products in 16 bits: no two neighbouring weights overflow them.
    """
    known = [node for node in layers if _is_known(node, wiring.constants[node.input[1]])]
    moments = {node.name: _empty(node, wiring) for node in known}
    rng = np.random.default_rng(seed)
    for values in flow(model, [node.input[0] for node in known], pictures, "second moments"):
        for node, value in zip(known, values, strict=True):
            _add(moments[node.name], _columns(value[0], node, wiring.constants[node.input[1]].shape, rng))
    plain, paired = (
        {node.name: _rounded(node, wiring, moments.get(node.name), pairs=pairs) for node in layers}
        for pairs in (False, True)
    )
    return plain, paired


def _is_known(node: onnx.NodeProto, kernel: NDArray[np.float32]) -> bool:
    return node.op_type == "Conv" and kernel.ndim == 4 and kernel[0].size <= WIDEST


def _empty(node: onnx.NodeProto, wiring: Wiring) -> _Moments:
    groups, size = attribute(node, "group", 1), wiring.constants[node.input[1]][0].size
    return _Moments(0, np.zeros((groups, size)), np.zeros((groups, size, size)))


def _add(moments: _Moments, columns: NDArray[np.floating]) -> None:
    columns = columns.astype(np.float64)  # of channels that hardly vary, the variance is a difference of like numbers
    moments.count += columns.shape[1]
    moments.sums += columns.sum(axis=1)
    moments.products += columns.transpose(0, 2, 1) @ columns


def _columns(
    value: NDArray[np.float32], node: onnx.NodeProto, kernel: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw output pixels and give what each sees of its input, (groups, pixels, d)."""
    top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
    down, across = attribute(node, "strides", [1, 1])
    spread_y, spread_x = attribute(node, "dilations", [1, 1])
    padded = np.pad(value, ((0, 0), (top, bottom), (left, right)))
    reach = ((kernel[2] - 1) * spread_y + 1, (kernel[3] - 1) * spread_x + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, ::down, ::across, ::spread_y, ::spread_x]
    rows, columns = (rng.integers(side, size=POSITIONS) for side in windows.shape[1:3])
    drawn = windows[:, rows, columns]  # (channels, pixels, kh, kw)
    groups = attribute(node, "group", 1)
    drawn = drawn.reshape(groups, -1, *drawn.shape[1:]).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(drawn.reshape(groups, POSITIONS, -1))


def _rounded(node: onnx.NodeProto, wiring: Wiring, moments: _Moments | None, *, pairs: bool) -> Weights:
    kernel = wiring.constants[node.input[1]]
    bias = wiring.constants[node.input[2]] if len(node.input) > 2 else None
    axis = 1 if node.op_type == "ConvTranspose" else 0
    others = tuple(place for place in range(kernel.ndim) if place != axis)
    scales = np.maximum(np.abs(kernel).max(axis=others), 1e-9) / MOST
    if pairs:
        scales = np.maximum(scales, _pairs(kernel, axis) / MOST_OF_TWO)
    if moments is None:
        shape = [-1 if place == axis else 1 for place in range(kernel.ndim)]
        return Weights(_nearest(kernel / scales.reshape(shape)), scales.astype(np.float32), axis, bias)
    groups = len(moments.sums)
    flat = kernel.reshape(groups, -1, kernel[0].size).astype(np.float64)
    steps = scales.reshape(groups, -1)
    mean = moments.sums / moments.count
    centred = moments.products / moments.count - mean[:, :, None] * mean[:, None, :]
    integers = compensated(flat, centred, steps)
    error = ((flat - integers * steps[..., None]) * mean[:, None, :]).sum(axis=-1).reshape(-1)
    mended = (error if bias is None else bias + error).astype(np.float32)
    return Weights(integers.reshape(kernel.shape).astype(np.int8), scales.astype(np.float32), axis, mended)


def _pairs(kernel: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Give, by output, the most that two neighbouring inputs' weights of one sign add up to; 0 with one input."""
    inputs = np.moveaxis(kernel, axis, 0)  # (outputs, inputs, …)
    inputs = inputs[:, : inputs.shape[1] // 2 * 2]
    if not inputs.shape[1]:
        return np.zeros(len(inputs), np.float32)
    sums = [(signed[:, 0::2] + signed[:, 1::2]) for signed in (np.maximum(inputs, 0), np.maximum(-inputs, 0))]
    most: NDArray[np.float32] = np.maximum(*sums).reshape(len(inputs), -1).max(axis=1)
    return most


def compensated(weights: Doubles, moments: Doubles, steps: Doubles) -> Doubles:
    """Round weights one input after the other; the inputs left take over each error as far as they move with it.

    Args:
        weights: (groups, outputs, d).
        moments: (groups, d, d), second moments of the inputs about their means.
        steps: (groups, outputs), of the weights' grids.
    """
    size = weights.shape[-1]
    diagonal = np.diagonal(moments, axis1=1, axis2=2)
    order = np.argsort(-diagonal.sum(axis=0), kind="stable")
    left, moments = weights[..., order].copy(), moments[:, order][:, :, order]
    damping = np.maximum(DAMPING * diagonal.mean(axis=1), 1e-12)
    damped = moments + damping[:, None, None] * np.eye(size)
    # The inverse is upper.T @ upper; factoring from the far end gives `upper` without inverting the moments themselves.
    upper = np.linalg.inv(np.linalg.cholesky(damped[:, ::-1, ::-1])[:, ::-1, ::-1])
    integers = np.empty_like(left)
    for place in range(size):
        here = left[..., place]
        integers[..., place] = _nearest(here / steps)
        error = (here - integers[..., place] * steps) / upper[:, place, place, None]
        left[..., place + 1 :] -= error[..., None] * upper[:, None, place, place + 1 :]
    back = np.argsort(order, kind="stable")
    return integers[..., back]


def _nearest(values: NDArray[np.floating]) -> NDArray[np.int8]:
    return np.clip(np.round(values), -MOST, MOST).astype(np.int8)
