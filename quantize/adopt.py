"""Adopt: a network of somebody else's gets a card, and ends in logits as ours do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from edge.errors import ModelError
from models.card import ModelCard, write_card
from quantize.canonical import canonical, read_onnx, shapes_of
from quantize.fold import check_shapes
from quantize.wiring import Wiring, attribute, forget_unneeded, forget_unread

if TYPE_CHECKING:
    from pathlib import Path

CHANNEL_AXIS = 1

ENDINGS = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Cast", "Squeeze", "Identity")
"""Operators behind the logits: devices make classes and scores of these themselves."""


class Adoption(ModelCard):
    """What its owner says of a network that was trained elsewhere; classes in the order of its channels."""

    arch: str = "adopted"
    epochs: int = 0
    val_score: float | None = None


def adopt(path: Path, card: Adoption) -> onnx.ModelProto:
    """Give the network of a float ONNX or TFLite file in its canonical form, ending in logits, with its card.

    A network that gives one probability per pixel gets a second channel, so that it has one for each class.

    Raises:
        ModelError: it can't be read or simplified, or does not give what the card says.
    """
    where = str(path)
    model = canonical(read_onnx(path), where, (card.input.width, card.input.height))
    wiring, shapes = Wiring(model.graph), shapes_of(model.graph)
    logits = _logits(model.graph.output[0].name, wiring, shapes, where)
    if shapes[logits][CHANNEL_AXIS] == 1:
        logits = _two_classes(model.graph, wiring, logits)
    _keep_up_to(model.graph, logits)
    adopted = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    write_card(adopted, ModelCard.model_validate(card.model_dump()))
    check_shapes(adopted, card, where)
    onnx.checker.check_model(adopted, full_check=True)
    return adopted


def _logits(output: str, wiring: Wiring, shapes: dict[str, list[int]], where: str) -> str:
    """Walk from the output back to what is not decided yet."""
    name = output
    while (node := wiring.maker(name, *ENDINGS)) is not None:
        if node.op_type == "Sigmoid" and shapes[name][CHANNEL_AXIS] != 1:
            raise ModelError(f"{where}: ends in one sigmoid per class: classes that overlap can't be told in one map")
        if node.op_type in ("Softmax", "LogSoftmax", "ArgMax") and attribute(node, "axis", -1) % 4 != CHANNEL_AXIS:
            raise ModelError(f"{where}: node {node.name!r} ({node.op_type}): decides along another axis than channels")
        name = str(node.input[0])
    if len(shapes.get(name, [])) != 4:
        raise ModelError(f"{where}: gives {shapes[output]}: must be a map of classes, (1, classes, h, w)")
    return name


def _two_classes(graph: onnx.GraphProto, wiring: Wiring, name: str) -> str:
    """Put a channel of zeros before the only one: softmax over both is the sigmoid of that one."""
    node = wiring.maker(name, "Conv", "ConvTranspose")
    axis = 1 if node is not None and node.op_type == "ConvTranspose" else 0
    if node is None or attribute(node, "group", 1) > 1 or any(w not in wiring.constants for w in node.input[1:]):
        zero = numpy_helper.from_array(np.zeros((), np.float32), f"{name}/nothing")
        graph.initializer.append(zero)
        graph.node.append(helper.make_node("Mul", [name, zero.name], [f"{name}/other"], name=f"{name}/other"))
        both = f"{name}/both"
        graph.node.append(helper.make_node("Concat", [f"{name}/other", name], [both], name=both, axis=CHANNEL_AXIS))
        return both
    for place, values in enumerate([wiring.constants[w] for w in node.input[1:]], 1):
        along = axis if place == 1 else 0
        doubled = np.concatenate([np.zeros_like(values), values], axis=along)
        graph.initializer.append(numpy_helper.from_array(doubled, f"{node.input[place]}/both"))
        node.input[place] = f"{node.input[place]}/both"
    return name


def _keep_up_to(graph: onnx.GraphProto, name: str) -> None:
    """Let a tensor be the output, and forget whatever nobody needs for it."""
    del graph.value_info[:], graph.output[:]
    graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    forget_unneeded(graph)
    forget_unread(graph)
