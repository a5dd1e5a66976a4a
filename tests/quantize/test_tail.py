"""Classes by comparisons are those that sorting gives, and probabilities those of Softmax."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.card import CardInput
from models.recipe import ClassSpec
from quantize.fold import fold
from quantize.session import open_session
from quantize.tail import MOST, compared
from quantize.toy import toy_card

SIDE = 8


def folded(classes: int) -> onnx.ModelProto:
    """Fold a network whose logits are the picture's bytes: many of them are equal."""
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, classes, SIDE, SIDE))
    parts = ["picture"] * (-(-classes // 3))
    nodes = [
        helper.make_node("Concat", parts, ["all"], name="all", axis=1),
        helper.make_node("Slice", ["all", "from", "to", "axis"], ["logits"], name="some"),
    ]
    numbers = {"from": 0, "to": classes, "axis": 1}
    held = [onnx.numpy_helper.from_array(np.array([value], np.int64), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "bytes", [given], [logits], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    names = tuple(ClassSpec(name=f"class{index}", index=index) for index in range(classes))
    given_as = CardInput(width=SIDE, height=SIDE, mean=(0, 0, 0), std=(1, 1, 1))
    card = toy_card().model_copy(update={"classes": names, "focus": "class1", "input": given_as})
    return fold(model, card)


@pytest.mark.parametrize("classes", [2, 3, 7, MOST, MOST + 1])
def test_classes_and_scores_are_the_same_and_the_lower_one_wins_a_tie(classes: int) -> None:
    model = folded(classes)
    found = compared(model)
    for kind in ("ArgMax", "Softmax", "ReduceMax"):
        assert any(node.op_type == kind for node in found.graph.node) == (classes > MOST)
    pictures = np.random.default_rng(0).integers(0, 3, (20, 1, SIDE, SIDE, 3), np.uint8)
    sessions = open_session(model, "sorted"), open_session(found, "compared")
    for picture in pictures:
        sorted_, compared_ = (session.run(None, {"picture": picture}) for session in sessions)
        assert all(np.array_equal(a, b) for a, b in zip(sorted_, compared_, strict=True))
