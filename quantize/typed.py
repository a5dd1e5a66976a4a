"""Typed: what TensorRT wants of a graph from which it takes each layer's precision, as TensorRT 11 always does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from quantize.fold import NETWORK, POST
from quantize.plan import BOUNDED
from quantize.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

QUANTISERS = ("QuantizeLinear", "DequantizeLinear")

WITH_A_LAYER = ("Add", "Clip", "Relu")
"""What an integer layer does with its sums before it rounds them."""

SIZES = {"Resize": (0,), "Reshape": (0,), "Slice": (0,), "Pad": (0, 2), "ReduceMean": (0,)}
"""Operators whose other inputs are no values."""


def strongly_typed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a folded network with quantisers whose other layers compute in fp16, and whose bytes come from float."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    _halve(found)
    _cast_classes_from_float(found.graph)
    onnx.checker.check_model(found, full_check=True)
    return found


def _halve(found: onnx.ModelProto) -> None:
    """Let the layers that are not rounded compute in fp16, with casts around them."""
    wiring = Wiring(found.graph)
    halves = {id(node) for node in _unrounded(wiring)}
    half_made = {name for node in wiring.nodes if id(node) in halves for name in node.output}
    ordered: list[onnx.NodeProto] = []
    cast: set[str] = set()

    def read(name: str, kind: int, suffix: str) -> str:
        made = f"{name}/{suffix}"
        if made not in cast:
            ordered.append(helper.make_node("Cast", [name], [made], name=made, to=kind))
            cast.add(made)
        return made

    for node in wiring.nodes:
        values = SIZES.get(node.op_type, range(len(node.input)))
        for place, name in enumerate(node.input):
            if id(node) not in halves:
                if name in half_made:
                    node.input[place] = read(name, TensorProto.FLOAT, "float")
            elif place in values and name and name not in half_made:
                if name in wiring.constants:
                    node.input[place] = _constant(found.graph, name, wiring)
                else:
                    node.input[place] = read(name, TensorProto.FLOAT16, "half")
        ordered.append(node)
    del found.graph.node[:]
    found.graph.node.extend(ordered)
    del found.graph.value_info[:]


def _cast_classes_from_float(graph: onnx.GraphProto) -> None:
    """Let bytes be made of floating point alone: TensorRT converts nothing else to them."""
    place, node = next((i, n) for i, n in enumerate(graph.node) if n.name == f"{POST}classes")
    made = f"{POST}winners"
    before = helper.make_node("Cast", [node.input[0]], [made], name=made, to=TensorProto.FLOAT)
    node.input[0] = made
    graph.node.insert(place, before)


def _unrounded(wiring: Wiring) -> Iterator[onnx.NodeProto]:
    rounded: set[int] = set()
    for node in wiring.nodes:
        if node.op_type in QUANTISERS or not node.name.startswith(NETWORK):
            continue
        makers = [wiring.makers[name] for name in node.input if name in wiring.makers]
        absorbed = node.op_type in WITH_A_LAYER and any(
            id(maker) in rounded and maker.op_type in (*BOUNDED, *WITH_A_LAYER) for maker in makers
        )
        if absorbed or any(maker.op_type == "DequantizeLinear" for maker in makers):
            rounded.add(id(node))
        else:
            yield node


def _constant(graph: onnx.GraphProto, name: str, wiring: Wiring) -> str:
    made = f"{name}/half"
    if all(tensor.name != made for tensor in graph.initializer):
        limit = np.finfo(np.float16).max
        values = np.clip(wiring.constants[name], -limit, limit).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(values, made))
    return made
