"""Fold pre- and post-processing into the float network, so that every runtime does them the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from edge.errors import ModelError
from edge.manifest import Processing
from edge.pictures.prepare import PREPARE_VERSION
from models.card import ModelCard, read_card, write_card
from quantize.canonical import canonical, image_input, read_onnx, shape_of

if TYPE_CHECKING:
    from pathlib import Path

    from quantize.wiring import Wiring

PRE, POST = "edgeloupe/pre/", "edgeloupe/post/"
"""Prefixes of the folded nodes: quantisation leaves these in float."""

NETWORK = "edgeloupe/net/"

_Step = tuple[str, str, list[str], dict[str, Any]]
"""Name, operator, further inputs, attributes."""


def load_model(path: Path) -> tuple[onnx.ModelProto, ModelCard]:
    """Read a plain float ONNX file of a semantic network, in its canonical form, and its card.

    Raises:
        ModelError: as `read_model` and `canonical` do, of another task than semantic, or not (1, 3, H, W) to (1,
            classes, h, w).
    """
    model, card = read_model(path)
    if card.task != "semantic":
        raise ModelError(
            f"{path}: is a {card.task} network: devices run semantic ones only: train one of those instead"
        )
    model = canonical(model, str(path), (card.input.width, card.input.height))
    check_shapes(model, card, str(path))
    return model, card


def read_model(path: Path) -> tuple[onnx.ModelProto, ModelCard]:
    """Read a plain float ONNX file, whatever its task, and its card.

    Raises:
        ModelError: unreadable, without a card, or with weights in other files.
    """
    model = read_onnx(path)
    return model, read_card(model, str(path))


def fold(model: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """Wrap the network of `model` between the device's picture and its class map.

    The result takes `picture`, (1, H, W, 3) uint8 BGR, and gives `classes` and `scores`, both (1, h, w) uint8: the
    most probable class (the lower index on a tie) and its probability, 255 is 1.0. It uses ai.onnx operators only.
    """
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    network = compose.add_prefix_graph(model.graph, NETWORK)
    names = (network.input[0].name, network.output[0].name)
    pre, constants = _pre(card, names[0])
    post, more = _post(names[1], opset)
    height, width = output_size(model)
    graph = helper.make_graph(
        [*pre, *network.node, *post],
        card.name,
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, (1, card.input.height, card.input.width, 3))],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, (1, height, width)) for name in ("classes", "scores")],
        [*constants, *network.initializer, *more],
    )
    folded = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=model.ir_version, producer_name="edgeloupe"
    )
    write_card(folded, card)
    onnx.checker.check_model(folded, full_check=True)
    return folded


def processing(card: ModelCard) -> Processing:
    """Describe what `edge.pictures.prepare` and the folded nodes do, for the manifest and the receipt."""
    given = card.input
    reverse = ("reverse-channels",) if given.colour_order == "RGB" else ()
    steps = (
        "cast-float32",
        *reverse,
        "nhwc-to-nchw",
        f"subtract {' '.join(map(repr, given.mean))}",
        f"divide {' '.join(map(repr, given.std))}",
        "network",
        "classes: argmax, lower index on a tie",
        "scores: max softmax times 255, rounded to even",
    )
    return Processing.of(PREPARE_VERSION, (f"input {given.width}x{given.height}", *steps))


def head(wiring: Wiring) -> onnx.NodeProto:
    """Give the node of a folded network that makes the logits."""
    ends = (node for node in wiring.nodes if node.name.startswith(POST))
    makers = (wiring.makers.get(name) for node in ends for name in node.input)
    return next(node for node in makers if node is not None and node.name.startswith(NETWORK))


def output_size(model: onnx.ModelProto) -> tuple[int, int]:
    """Give height and width of the network's logits."""
    dims = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    return dims[-2], dims[-1]


def _pre(card: ModelCard, output: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    mean = np.array(card.input.mean, np.float32).reshape(1, 3, 1, 1)
    std = np.array(card.input.std, np.float32).reshape(1, 3, 1, 1)
    constants = [numpy_helper.from_array(mean, f"{PRE}mean"), numpy_helper.from_array(std, f"{PRE}std")]
    steps: list[_Step] = [("cast", "Cast", [], {"to": TensorProto.FLOAT})]
    if card.input.colour_order == "RGB":
        constants.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), f"{PRE}order"))
        steps.append(("reverse", "Gather", [f"{PRE}order"], {"axis": 3}))
    steps += [
        ("transpose", "Transpose", [], {"perm": [0, 3, 1, 2]}),
        ("subtract", "Sub", [f"{PRE}mean"], {}),
        ("divide", "Div", [f"{PRE}std"], {}),
    ]
    return _chain(PRE, steps, "picture", output), constants


def _post(logits: str, opset: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    constants = [numpy_helper.from_array(np.array(255, np.float32), f"{POST}full")]
    axes: dict[str, Any] = {"axes": [1]}
    more: list[str] = []
    if opset >= 18:  # the axes became an input
        constants.append(numpy_helper.from_array(np.array([1], np.int64), f"{POST}axes"))
        axes, more = {}, [f"{POST}axes"]
    classes = _chain(
        POST,
        [("argmax", "ArgMax", [], {"axis": 1, "keepdims": 0}), ("classes", "Cast", [], {"to": TensorProto.UINT8})],
        logits,
        "classes",
    )
    scores = _chain(
        POST,
        [
            ("softmax", "Softmax", [], {"axis": 1}),
            ("max", "ReduceMax", more, {**axes, "keepdims": 0}),
            ("scale", "Mul", [f"{POST}full"], {}),
            ("round", "Round", [], {}),
            ("scores", "Cast", [], {"to": TensorProto.UINT8}),
        ],
        logits,
        "scores",
    )
    return [*classes, *scores], constants


def _chain(prefix: str, steps: list[_Step], first: str, last: str) -> list[onnx.NodeProto]:
    """Make one node after another."""
    nodes = []
    given = first
    for index, (name, operator, further, attributes) in enumerate(steps):
        made = last if index == len(steps) - 1 else f"{prefix}{name}:0"
        nodes.append(helper.make_node(operator, [given, *further], [made], name=f"{prefix}{name}", **attributes))
        given = made
    return nodes


def check_shapes(model: onnx.ModelProto, card: ModelCard, where: str) -> None:
    """Hold what a network takes and gives against its card. Raises ModelError."""
    given, wanted = shape_of(image_input(model.graph, where)), [1, 3, card.input.height, card.input.width]
    if given != wanted:
        raise ModelError(f"{where}: takes {given}, its card says {wanted}: export it with `edgeloupe export`")
    dims = shape_of(model.graph.output[0])
    if len(model.graph.output) != 1 or len(dims) != 4 or dims[:2] != [1, len(card.classes)]:
        raise ModelError(
            f"{where}: gives {dims}: must be one output of logits (1, {len(card.classes)}, h, w), one channel per class"
        )
