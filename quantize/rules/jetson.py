"""What TensorRT 10 and 11 ask of an ONNX file with explicit quantisation, as far as the file alone can tell.

TensorRT 11 knows strongly typed networks only: precision comes from the graph. The rules are those of its parser
(onnx-tensorrt, `QuantDequantLinearHelper` in onnxOpImporters.cpp), of NVIDIA's guide "Working with quantized types",
and of field reports where neither says anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from quantize.canonical import read_onnx
from quantize.rules import Finding, Rule
from quantize.wiring import Wiring, attribute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import onnx

_PARSER = "onnx-tensorrt, QuantDequantLinearHelper"
_GUIDE = "NVIDIA TensorRT guide, working with quantized types"
_FIELD = "field report, TensorRT 11.3 on A100"

DOMAIN = Rule(
    name="standard-operators",
    asks="operators of ai.onnx only",
    instead="export without fused or foreign operators",
    source="onnx-tensorrt, operators.md",
)
SCALE = Rule(
    name="positive-scale",
    asks="scales that are constants above 0",
    instead="give a tensor that is always zero the scale 1",
    source="onnx-tensorrt issue 764",
)
ZERO_POINT = Rule(
    name="zero-point",
    asks="zero points of 0",
    instead="quantise symmetrically",
    source=f"{_PARSER}: shiftIsAllZeros",
)
SIGNED = Rule(
    name="signed",
    asks="int8, not uint8",
    instead="use int8 and state its zero point: without one ONNX means uint8",
    source=_PARSER,
)
BIAS = Rule(
    name="float-bias",
    asks="biases in floating point",
    instead="leave biases unquantised",
    source=f"{_PARSER}; {_FIELD}",
)
GRANULARITY = Rule(
    name="granularity",
    asks="one scale per activation, and per weight one or one for each output channel",
    instead="quantise activations per tensor, weights along the output channels",
    source=_GUIDE,
)
HALF = Rule(
    name="both-inputs",
    asks="activation and weight of a convolution quantised, or neither",
    instead="quantise both, or leave the layer in fp16",
    source=_GUIDE,
)
CHANNELS = Rule(
    name="input-channels",
    asks="input channels of an INT8 convolution in multiples of 4",
    instead="leave this layer, often the first one, in fp16",
    source=f"{_FIELD}: no implementation was found for a convolution of three channels",
)
PER_CHANNEL = Rule(
    name="per-channel-weights",
    asks="a scale for each output channel of weights",
    instead="quantise weights per channel",
    source=_GUIDE,
    breaks=False,
)
ADD = Rule(
    name="skip-branch",
    asks="of a residual addition the skip branch quantised and the convolution's output not",
    instead="quantise the branch that does not come straight from a convolution",
    source=_GUIDE,
    breaks=False,
)
CONCAT = Rule(
    name="shared-scale",
    asks="one scale for all inputs of a concatenation",
    instead="give them the largest of their scales",
    source=_GUIDE,
    breaks=False,
)
BYTES = Rule(
    name="bytes-from-float",
    asks="UINT8 to be made of floating point and read into it, nothing else",
    instead="cast to float in between",
    source="NVIDIA TensorRT, DataType: conversions of kUINT8",
)
FUSION = Rule(
    name="activation-fusion",
    asks="no quantiser between a convolution and its activation",
    instead="quantise behind the activation",
    source=_GUIDE,
    breaks=False,
)

RULES = (
    DOMAIN, SCALE, ZERO_POINT, SIGNED, BIAS, GRANULARITY, HALF, CHANNELS, BYTES, PER_CHANNEL, ADD, CONCAT, FUSION,
)  # fmt: skip

WHOLE = ("ArgMax", "ArgMin", "Shape", "Size", "NonZero")
"""Operators that give whole numbers."""

WEIGHTED = {"Conv": 0, "ConvTranspose": 1}
"""Operators whose weights are quantised, and the axis of their output channels."""

ACTIVATIONS = ("Clip", "Relu", "LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh")


def check(path: Path) -> list[Finding]:
    """List what TensorRT would refuse of an ONNX file. Raises ModelError where it can't be read."""
    return check_graph(read_onnx(path))


def check_graph(model: onnx.ModelProto) -> list[Finding]:
    """List what TensorRT would refuse, and what would run slower than it has to."""
    wiring = Wiring(model.graph)
    findings = []
    for node in wiring.nodes:
        for rule, what in _judge(node, wiring):
            findings.append(Finding(rule=rule, node=node.name or node.output[0], what=what))
    return findings


def _judge(node: onnx.NodeProto, wiring: Wiring) -> Iterator[tuple[Rule, str]]:
    if node.domain not in ("", "ai.onnx"):
        yield DOMAIN, f"is {node.domain}.{node.op_type}"
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        yield from _judge_quantiser(node, wiring)
    elif node.op_type in WEIGHTED:
        yield from _judge_weighted(node, wiring)
    elif node.op_type == "Cast":
        maker = wiring.makers.get(node.input[0])
        if attribute(node, "to") == TensorProto.UINT8 and maker and maker.op_type in WHOLE:
            yield BYTES, f"makes UINT8 of what {maker.op_type} gives"
    elif node.op_type == "Add":
        yield from _judge_addition(node, wiring)
    elif node.op_type == "Concat":
        yield from _judge_concatenation(node, wiring)
    elif node.op_type in ACTIVATIONS:
        quantised = wiring.maker(node.input[0], "DequantizeLinear")
        if quantised and _follows(quantised, wiring, *WEIGHTED):
            yield FUSION, "reads a convolution's output through a quantiser"


def _judge_quantiser(node: onnx.NodeProto, wiring: Wiring) -> Iterator[tuple[Rule, str]]:
    scale = wiring.constants.get(node.input[1])
    if scale is None:
        yield SCALE, "has a scale that is computed while it runs"
    elif not (scale > 0).all():
        yield SCALE, f"has the scale {float(scale.min()):g}"
    zero = wiring.constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is not None and zero.any():
        yield ZERO_POINT, f"has the zero point {int(np.ravel(zero)[np.flatnonzero(zero)[0]])}"
    data = wiring.constants.get(node.input[0])
    unsigned = zero is not None and zero.dtype == np.uint8
    if unsigned or (zero is None and node.op_type == "QuantizeLinear" and not attribute(node, "output_dtype")):
        yield SIGNED, "is uint8"
    if node.op_type == "QuantizeLinear":
        return
    if data is not None and data.dtype == np.int32:
        yield BIAS, "is an int32 bias"
    constant = data is not None or _is_quantised_constant(node, wiring)
    if scale is not None and scale.size > 1:
        if not constant:
            yield GRANULARITY, f"has {scale.size} scales on an activation"
        for reader in wiring.readers.get(node.output[0], []):
            axis = WEIGHTED.get(reader.op_type)
            if constant and axis is not None and reader.input[1] == node.output[0]:
                told = attribute(node, "axis", 1)
                if told != axis:
                    yield (
                        GRANULARITY,
                        f"has its scales along axis {told}, output channels of {reader.op_type} are {axis}",
                    )


def _judge_weighted(node: onnx.NodeProto, wiring: Wiring) -> Iterator[tuple[Rule, str]]:
    activation, weight = (wiring.maker(name, "DequantizeLinear") for name in node.input[:2])
    if (activation is None) != (weight is None):
        yield HALF, f"has its {'activation' if weight is None else 'weight'} quantised alone"
    if activation is None or weight is None:
        return
    shape = _weight_shape(weight, wiring)
    channels = shape[0 if node.op_type == "ConvTranspose" else 1] if shape else 0
    if attribute(node, "group", 1) == 1 and channels % 4:
        yield CHANNELS, f"takes {channels} channels"
    scale = wiring.constants.get(weight.input[1])
    if scale is not None and scale.size == 1 and shape and shape[WEIGHTED[node.op_type]] > 1:
        yield PER_CHANNEL, "has one scale for all of its weights"


def _judge_addition(node: onnx.NodeProto, wiring: Wiring) -> Iterator[tuple[Rule, str]]:
    if any(name in wiring.constants for name in node.input):
        return  # no residual
    quantised = [wiring.maker(name, "DequantizeLinear") is not None for name in node.input]
    plain = [wiring.maker(name, *WEIGHTED) is not None for name in node.input]
    if all(quantised):
        yield ADD, "has both inputs quantised"
    elif any(quantised) and not plain[quantised.index(False)]:
        yield ADD, "adds a quantised branch to one that comes from no convolution"
    elif not any(quantised) and any(plain) and _is_quantised_network(wiring):
        yield ADD, "has its skip branch in floating point"


def _judge_concatenation(node: onnx.NodeProto, wiring: Wiring) -> Iterator[tuple[Rule, str]]:
    makers = [wiring.maker(name, "DequantizeLinear") for name in node.input]
    scales = [wiring.constants.get(maker.input[1]) for maker in makers if maker]
    if scales and len(scales) < len(makers):
        yield CONCAT, "joins quantised inputs with ones that are not"
    elif len({float(np.ravel(scale)[0]) for scale in scales if scale is not None}) > 1:
        yield CONCAT, "joins inputs of different scales"


def _follows(dequantise: onnx.NodeProto, wiring: Wiring, *kinds: str) -> bool:
    quantise = wiring.maker(dequantise.input[0], "QuantizeLinear")
    return quantise is not None and wiring.maker(quantise.input[0], *kinds) is not None


def _is_quantised_constant(dequantise: onnx.NodeProto, wiring: Wiring) -> bool:
    quantise = wiring.maker(dequantise.input[0], "QuantizeLinear")
    return quantise is not None and quantise.input[0] in wiring.constants


def _weight_shape(dequantise: onnx.NodeProto, wiring: Wiring) -> tuple[int, ...]:
    quantise = wiring.maker(dequantise.input[0], "QuantizeLinear")
    found = wiring.constants.get(quantise.input[0] if quantise else dequantise.input[0])
    return () if found is None else found.shape


def _is_quantised_network(wiring: Wiring) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in wiring.nodes)
