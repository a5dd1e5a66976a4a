"""QDQ: a plan written into an ONNX graph as pairs of QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from quantize.wiring import forget_unread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantize.plan import Plan
    from quantize.rounding import Weights


def write_qdq(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """Give `model` with its activations rounded and its weights as integers; biases stay in floating point."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    nodes = {node.name: node for node in graph.node}
    for read in plan.reads:
        nodes[read.node].input[read.place] = _rounded(read.tensor)
    before: list[onnx.NodeProto] = []
    for name, weights in plan.weights.items():
        before.append(_hold(graph, nodes[name], weights))
    pairs = {tensor: _pair(graph, tensor, plan) for tensor in dict.fromkeys(read.tensor for read in plan.reads)}
    ordered = [*before, *(node for value in graph.input for node in pairs.pop(value.name, ()))]
    for node in graph.node:
        ordered.append(node)
        for name in node.output:
            ordered += pairs.pop(name, ())
    del graph.node[:]
    graph.node.extend(ordered)
    del graph.value_info[:]
    forget_unread(graph)
    onnx.checker.check_model(found, full_check=True)
    return found


def _rounded(tensor: str) -> str:
    return f"{tensor}/rounded"


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[Any]) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _pair(graph: onnx.GraphProto, tensor: str, plan: Plan) -> list[onnx.NodeProto]:
    grid = plan.grids[tensor]
    scale = _constant(graph, f"{tensor}/scale", np.array(grid.scale, np.float32))
    zero = _constant(graph, f"{tensor}/zero", np.array(grid.zero_point, grid.dtype))
    integers = f"{tensor}/integers"
    return [
        helper.make_node("QuantizeLinear", [tensor, scale, zero], [integers], name=f"{tensor}/quantise"),
        helper.make_node("DequantizeLinear", [integers, scale, zero], [_rounded(tensor)], name=f"{tensor}/dequantise"),
    ]


def _hold(graph: onnx.GraphProto, node: onnx.NodeProto, weights: Weights) -> onnx.NodeProto:
    """Put integers in place of a layer's weights."""
    base = f"{node.name}/weights"
    values = _constant(graph, f"{base}/integers", weights.values)
    scale = _constant(graph, f"{base}/scale", weights.scales)
    zero = _constant(graph, f"{base}/zero", np.zeros(len(weights.scales), np.int8))
    node.input[1] = f"{base}/rounded"
    if weights.bias is not None:
        bias = _constant(graph, f"{node.name}/bias", weights.bias)
        node.input[2:] = [bias]
    return helper.make_node(
        "DequantizeLinear", [values, scale, zero], [node.input[1]], name=f"{base}/dequantise", axis=weights.axis
    )
