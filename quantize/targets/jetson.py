"""Jetson: our own plan in TensorRT's style as ONNX with explicit quantisers; the device builds its engine from it.

No Jetson and no TensorRT are to be had where this is made: masks are measured in ONNX Runtime, whose integers are the
same, and the file must keep to every rule of `quantize.rules.jetson`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx

from edge.errors import ModelError
from quantize.plan import Style, make_plan
from quantize.qdq import write_qdq
from quantize.rules import jetson as rules
from quantize.targets import OWN, Candidate, part_in_float
from quantize.typed import strongly_typed

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

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        """Quantise by our own plan; what is not rounded computes in fp16."""
        plan = make_plan(network.equalised, network.observed, STYLE).sparing(spared)
        model = strongly_typed(write_qdq(network.equalised, plan))
        for finding in rules.check_graph(model):
            if finding.rule.breaks:
                raise ModelError(f"node {finding.node!r}: {finding.what}: TensorRT asks for {finding.rule.asks}")
        entry = out / "planned" / "model.onnx"
        entry.parent.mkdir(parents=True)
        onnx.save(model, entry)
        told = ", ".join(filter(None, (f"{OWN} about zero, additions within convolutions", part_in_float(spared))))
        yield Candidate(recipe=told, entry=entry)

    def float_form(self, network: Network, out: Path) -> Path:
        """Give the folded file itself."""
        del out
        return network.folded


def create() -> JetsonTarget:
    """Make the target."""
    return JetsonTarget()
