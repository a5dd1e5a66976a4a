"""Hostile: ONNX files as nobody exports them: cut, flipped, spliced, and with parts exchanged for odd ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from models.card import write_card
from quantize.toy import toy_card

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Change = Callable[[onnx.ModelProto, onnx.GraphProto, Random], None]

ODD = (0, -1, 1, 5, 7, 2**20, 2**31, 2**62)
WIDTH, HEIGHT, CHANNELS = 160, 96, 8


def many_operators() -> bytes:
    """Build a small network with most operators that segmentation networks have, and its card."""
    rng = np.random.default_rng(0)
    weights: dict[str, np.ndarray] = {}

    def held(values: np.ndarray) -> str:
        name = f"weights{len(weights)}"
        weights[name] = values.astype(np.float32)
        return name

    def kernel(*shape: int) -> str:
        return held(rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape))

    c, zeros, ones = CHANNELS, np.zeros(CHANNELS), np.ones(CHANNELS)
    normal = [held(ones), held(zeros), held(zeros), held(ones)]
    make = helper.make_node
    nodes = [
        make("Conv", ["picture", kernel(c, 3, 3, 3), held(zeros)], ["a"], name="stem", strides=[2, 2], pads=[1] * 4),
        make("BatchNormalization", ["a", *normal], ["b"], name="normal"),
        make("Relu", ["b"], ["c"], name="relu"),
        make("Conv", ["c", kernel(c, 1, 3, 3)], ["d"], name="depthwise", pads=[1] * 4, group=c),
        make("Add", ["c", "d"], ["e"], name="add"),
        make("MaxPool", ["e"], ["f"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        make("GlobalAveragePool", ["f"], ["g"], name="mean"),
        make("Sigmoid", ["g"], ["h"], name="gate"),
        make("Mul", ["f", "h"], ["i"], name="gated"),
        make("ConvTranspose", ["i", kernel(c, c, 2, 2)], ["j"], name="up", strides=[2, 2]),
        make("Concat", ["j", "e"], ["k"], name="joined", axis=1),
        make("Resize", ["k", "", held(np.array([1, 1, 2, 2]))], ["l"], name="resize", mode="linear"),
        make("Conv", ["l", kernel(2, 2 * c, 1, 1), held(np.zeros(2))], ["logits"], name="head"),
    ]
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, HEIGHT, WIDTH))
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 2, HEIGHT, WIDTH))
    held_as = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "many", [given], [made], held_as)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    write_card(model, toy_card())
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def mutant(content: bytes, seed: int) -> bytes:
    """Change a file in one to three ways, none of which need leave it valid."""
    rng = random.Random(seed)
    change = rng.choice([_flip, _flip, _cut, _splice, *[_exchange] * 6])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        content = change(content, rng)
    return content


def _flip(content: bytes, rng: Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _cut(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(1, len(content))] if len(content) > 1 else content


def _splice(content: bytes, rng: Random) -> bytes:
    start, place = rng.randrange(len(content)), rng.randrange(len(content))
    return content[:place] + content[start : start + rng.randrange(64)] + content[place:]


def _exchange(content: bytes, rng: Random) -> bytes:
    model = onnx.load_from_string(content)
    rng.choice(CHANGES)(model, model.graph, rng)
    return bytes(model.SerializeToString())


def _node(graph: onnx.GraphProto, rng: Random, *, with_attributes: bool = False) -> onnx.NodeProto:
    found: onnx.NodeProto = rng.choice([node for node in graph.node if node.attribute or not with_attributes])
    return found


def _weight_shape(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    weights = rng.choice(graph.initializer)
    weights.dims[rng.randrange(len(weights.dims))] = rng.choice(ODD)


def _weight_bytes(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    weights = rng.choice(graph.initializer)
    weights.raw_data = weights.raw_data[: rng.randrange(len(weights.raw_data) + 1)]


def _weight_kind(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    rng.choice(graph.initializer).data_type = rng.choice([0, 2, 6, 7, 8, 9, 10, 11, 14, 16, 17, 99])


def _weight_value(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    weights = rng.choice(graph.initializer)
    if weights.data_type != TensorProto.FLOAT or weights.data_location == TensorProto.EXTERNAL:
        return
    values = np.frombuffer(weights.raw_data, np.float32).copy()
    if values.size:
        values[rng.randrange(values.size)] = rng.choice([np.nan, np.inf, -np.inf, 3e38, 1e-45])
        weights.raw_data = values.tobytes()


def _elsewhere(tensor: onnx.TensorProto, rng: Random) -> None:
    """Say that a tensor's numbers lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    location = rng.choice(["../../../etc/passwd", "/etc/passwd", "weights.bin", "", "..", "a/../../b"])
    for key, value in (("location", location), ("length", rng.choice(["8", "-1", "99999999999999"]))):
        tensor.external_data.add(key=key, value=value)


def _external_weight(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    _elsewhere(rng.choice(graph.initializer), rng)


def _external_constant(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    """Two GiB by reference."""
    tensor = TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[2**29])
    _elsewhere(tensor, rng)
    attribute = AttributeProto(name="value", type=AttributeProto.TENSOR, t=tensor)
    graph.node.insert(0, onnx.NodeProto(op_type="Constant", output=["big"], attribute=[attribute]))
    _behind(graph, "Add", ["big"])


def _behind(graph: onnx.GraphProto, kind: str, inputs: list[str]) -> None:
    """Put another node between the network and its output."""
    made = f"{graph.output[0].name}+"
    graph.node.append(helper.make_node(kind, [graph.output[0].name, *inputs], [made], name=f"behind {made}"))
    graph.output[0].name = made


def _huge_constant(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    size = np.array([rng.choice([2**29, 2**31, 2**40])], np.int64)
    graph.initializer.append(numpy_helper.from_array(size, "size"))
    graph.node.insert(0, helper.make_node("ConstantOfShape", ["size"], ["huge"], name="huge"))
    graph.node.insert(1, helper.make_node("ReduceMax", ["huge"], ["greatest"], name="greatest", keepdims=0))
    _behind(graph, "Add", ["greatest"])


def _huge_picture(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    factor = rng.choice([64, 1000, 1e6, 1e9])
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "factors"))
    _behind(graph, "Resize", ["", "factors"])


def _sides(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    dims = rng.choice([*graph.input, *graph.output]).type.tensor_type.shape.dim
    dims[rng.randrange(len(dims))].dim_value = rng.choice(ODD)


def _cycle(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    _node(graph, rng).input[0] = _node(graph, rng).output[0]


def _wire(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    node = _node(graph, rng)
    node.input[rng.randrange(len(node.input))] = rng.choice(["", "nothing", "\x00", "x" * 10_000])


def _operator(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    kinds = ["", "Wrong", "Conv", "Softmax", "If", "Loop", "LSTM", "Einsum", "Tile", "TopK", "RandomNormal", "Expand"]
    _node(graph, rng).op_type = rng.choice(kinds)


def _domain(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    _node(graph, rng).domain = rng.choice(["com.microsoft", "somebody's", "ai.onnx.ml"])


def _opset(model: onnx.ModelProto, _: onnx.GraphProto, rng: Random) -> None:
    versions = rng.choice([[], [0], [-1], [1], [6], [7], [12], [21], [22], [99], [2**40]])
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid("", version) for version in versions)


def _file_version(model: onnx.ModelProto, _: onnx.GraphProto, rng: Random) -> None:
    model.ir_version = rng.choice([0, -1, 1, 3, 20, 2**40])


def _less(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    del graph.node[rng.randrange(len(graph.node))]


def _twice(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    graph.node.append(_node(graph, rng))


def _number(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    attribute = rng.choice(_node(graph, rng, with_attributes=True).attribute)
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(ODD)
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(ODD)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice([b"", b"\xff\xfe", b"linear", b"x" * 100_000])


def _attribute_kind(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    rng.choice(_node(graph, rng, with_attributes=True).attribute).type = rng.randrange(11)


def _attribute_length(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    attribute = rng.choice(_node(graph, rng, with_attributes=True).attribute)
    attribute.ints.extend([1] * rng.choice([1, 3, 1000]))


def _picture_kind(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    graph.input[0].type.tensor_type.elem_type = rng.choice([0, 2, 7, 8, 10, 11, 99])


def _ends(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    end = rng.choice([graph.input, graph.output])
    if rng.random() < 0.5:
        del end[:]
    else:
        end.add().CopyFrom(end[0])
        end[-1].name += rng.choice(["", "2"])


def _branch(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    """A branch within a branch within …"""
    made, inner = helper.make_tensor_value_info("z", TensorProto.FLOAT, None), graph.output[0].name
    branch = helper.make_graph([helper.make_node("Identity", [inner], ["z"])], "branch", [], [made])
    for _depth in range(rng.choice([0, 2, 6])):
        nested = helper.make_node("If", ["condition"], ["z"], then_branch=branch, else_branch=branch)
        branch = helper.make_graph([nested], "branch", [], [made])
    graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    graph.node.append(helper.make_node("If", ["condition"], ["y"], name="if", then_branch=branch, else_branch=branch))
    graph.output[0].name = "y"


def _loop(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    """One that never ends."""
    number = helper.make_tensor_value_info("number", TensorProto.INT64, [])
    go, still = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "still"))
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["still"])], "body", [number, go], [still])
    graph.initializer.append(numpy_helper.from_array(np.array(2**62), "times"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "at first"))
    graph.node.append(helper.make_node("Loop", ["times", "at first"], [], name=f"loop {rng.random()}", body=body))


def _card(model: onnx.ModelProto, _: onnx.GraphProto, rng: Random) -> None:
    if rng.random() < 0.2:
        del model.metadata_props[:]
    for entry in model.metadata_props:
        text = entry.value
        entry.value = rng.choice(
            ["", "{}", "[]", "null", "{" * 5000, text[: len(text) // 2], text.replace("1", "-1"), text * 2,
             text.replace("0", "1e999")]
        )  # fmt: skip


def _function(model: onnx.ModelProto, _: onnx.GraphProto, rng: Random) -> None:
    model.functions.add(name="f", domain=rng.choice(["", "somebody's"]), input=["x"], output=["x"])


def _sparse(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    sparse = graph.sparse_initializer.add(dims=[rng.choice(ODD)])
    sparse.values.name, sparse.values.data_type = "sparse", TensorProto.FLOAT


def _long_way(_: onnx.ModelProto, graph: onnx.GraphProto, rng: Random) -> None:
    for _step in range(rng.choice([10, 3000])):
        _behind(graph, "Identity", [])


CHANGES: list[Change] = [
    _weight_shape, _weight_bytes, _weight_kind, _weight_value, _external_weight, _external_constant, _huge_constant,
    _huge_picture, _sides, _cycle, _wire, _operator, _domain, _opset, _file_version, _less, _twice, _number,
    _attribute_kind, _attribute_length, _picture_kind, _ends, _branch, _loop, _card, _function, _sparse, _long_way,
]  # fmt: skip
