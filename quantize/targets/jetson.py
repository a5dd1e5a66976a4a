"""Jetson: our own plan in TensorRT's style as ONNX with explicit quantisers; the device builds its engine from it.

No Jetson and no TensorRT are to be had where this is made: masks are measured in ONNX Runtime, whose integers are the
same, and the file must keep to every rule of `quantize.rules.jetson`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from edge.errors import ModelError
from quantize.fold import POST
from quantize.half import halve
from quantize.plan import Style, make_plan
from quantize.qdq import write_qdq
from quantize.rules import jetson as rules
from quantize.targets import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantize.targets import Network

STYLE = Style(symmetric=True, channels=4)


class JetsonTarget:
    """Orin and later, through TensorRT 10 and 11."""

    runtime = "tensorrt"
    version_range = ">=10.3,<12"
    proven_in = "onnxruntime"

    def candidates(self, network: Network, out: Path) -> Iterator[Candidate]:
        """Quantise by our own plan; what is not rounded computes in fp16."""
        plan = make_plan(network.equalised, network.observed, STYLE)
        model = halve(write_qdq(network.equalised, plan))
        _cast_classes_from_float(model.graph)
        onnx.checker.check_model(model, full_check=True)
        for finding in rules.check(model):
            if finding.rule.breaks:
                raise ModelError(f"node {finding.node!r}: {finding.what}: TensorRT asks for {finding.rule.asks}")
        entry = out / "planned" / "model.onnx"
        entry.parent.mkdir(parents=True)
        onnx.save(model, entry)
        yield Candidate(
            recipe="equalised, least squared error about zero, compensated rounding, additions within convolutions",
            entry=entry,
        )

    def float_form(self, network: Network, out: Path) -> Path:
        """Give the folded file itself."""
        del out
        return network.folded


def create() -> JetsonTarget:
    """Make the target."""
    return JetsonTarget()


def _cast_classes_from_float(graph: onnx.GraphProto) -> None:
    """Let bytes be made of floating point alone: TensorRT converts nothing else to them."""
    place, node = next((i, n) for i, n in enumerate(graph.node) if n.name == f"{POST}classes")
    made = f"{POST}winners"
    before = helper.make_node("Cast", [node.input[0]], [made], name=made, to=TensorProto.FLOAT)
    node.input[0] = made
    graph.node.insert(place, before)
