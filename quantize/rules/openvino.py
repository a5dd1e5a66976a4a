"""What OpenVINO leaves in floating point of a float ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantize.fold import NETWORK
from quantize.plan import QUANTISED, fused_activation
from quantize.rules import Finding, Rule, neutral
from quantize.wiring import Wiring

if TYPE_CHECKING:
    from pathlib import Path

FLOAT = Rule(
    name="stays-float",
    asks="networks of " + ", ".join(QUANTISED) + " and the activations behind them",
    instead="other operators run, but between conversions to floating point and back",
    source="OpenVINO, low precision transformations; quantize/plan.py",
    breaks=False,
)


def check(path: Path) -> list[Finding]:
    """List what would not be rounded. Raises ModelError where the file can't be read or simplified."""
    wiring = Wiring(neutral(path).graph)
    network = [node for node in wiring.nodes if node.name.startswith(NETWORK)]
    absorbed = {id(fused_activation(node, wiring)) for node in network}
    return [
        Finding(rule=FLOAT, node=node.name.removeprefix(NETWORK), what=f"{node.op_type} stays in floating point")
        for node in network
        if node.op_type not in QUANTISED and id(node) not in absorbed
    ]
