"""QDQ: a plan written into an ONNX graph as pairs of QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from quantize.fold import PRE
from quantize.pixels import pixels_of
from quantize.wiring import Wiring, forget_unread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantize.grids import Grid
    from quantize.pixels import Pixels
    from quantize.plan import Plan
    from quantize.rounding import Weights


def write_qdq(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """Give `model` with its activations rounded and its weights as integers; biases stay in floating point.

    Where the first layers can take pixels as they come, they do: nothing is normalised and rounded before them.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    pixels = pixels_of(Wiring(graph), plan)
    nodes = {node.name: node for node in graph.node}
    for read in plan.reads:
        nodes[read.node].input[read.place] = _rounded(read.tensor)
    before: list[onnx.NodeProto] = []
    for name, weights in plan.weights.items():
        takes_pixels = pixels and nodes[name].input[0] == _rounded(pixels.entry)
        before.append(_hold(graph, nodes[name], pixels.taken_in(weights) if pixels and takes_pixels else weights))
    rounded = dict.fromkeys(read.tensor for read in plan.reads if not pixels or read.tensor != pixels.entry)
    pairs = {tensor: _pair(graph, tensor, plan.grids[tensor]) for tensor in rounded}
    if pixels:
        pairs["picture"] = _taken(graph, pixels)
        kept = [node for node in graph.node if not node.name.startswith(PRE)]
        del graph.node[:]
        graph.node.extend(kept)
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


def _pair(graph: onnx.GraphProto, tensor: str, grid: Grid) -> list[onnx.NodeProto]:
    """Round a tensor, and give it back as the numbers of its grid."""
    integers = f"{tensor}/integers"
    back = _dequantised(graph, integers, tensor, grid)
    return [helper.make_node("QuantizeLinear", [tensor, *back.input[1:]], [integers], name=f"{tensor}/quantise"), back]


def _taken(graph: onnx.GraphProto, pixels: Pixels) -> list[onnx.NodeProto]:
    """Give pictures as the numbers of their grid."""
    integers = f"{pixels.entry}/integers"
    turned = helper.make_node("Transpose", ["picture"], [integers], name=f"{PRE}transpose", perm=[0, 3, 1, 2])
    return [turned, _dequantised(graph, integers, pixels.entry, pixels.grid)]


def _dequantised(graph: onnx.GraphProto, integers: str, tensor: str, grid: Grid) -> onnx.NodeProto:
    scale = _constant(graph, f"{tensor}/scale", np.array(grid.scale, np.float32))
    zero = _constant(graph, f"{tensor}/zero", np.array(grid.zero_point, grid.dtype))
    return helper.make_node(
        "DequantizeLinear", [integers, scale, zero], [_rounded(tensor)], name=f"{tensor}/dequantise"
    )


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
