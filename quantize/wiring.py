"""Wiring: who makes a tensor of an ONNX graph, who reads it, and which are constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import helper, numpy_helper

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


class Wiring:
    """One graph, looked up from both ends of its tensors."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.makers: dict[str, onnx.NodeProto] = {}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        self.constants: dict[str, NDArray[Any]] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        for node in graph.node:
            for name in node.output:
                self.makers[name] = node
            for name in filter(None, node.input):
                self.readers.setdefault(name, []).append(node)
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)

    def maker(self, name: str, *kinds: str) -> onnx.NodeProto | None:
        """Give the node that makes a tensor, where there is one of these kinds."""
        node = self.makers.get(name)
        return node if node is not None and node.op_type in kinds else None


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Read an attribute of a node."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def forget_unneeded(graph: onnx.GraphProto) -> None:
    """Drop nodes that no output needs; those that are left keep their order."""
    needed, living = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            living.append(node)
    del graph.node[:]
    graph.node.extend(reversed(living))


def forget_unread(graph: onnx.GraphProto) -> None:
    """Drop constants that no node reads."""
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
