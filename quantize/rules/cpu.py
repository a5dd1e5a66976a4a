"""What LiteRT can compute in integers of a float ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ModelError
from quantize.fold import NETWORK
from quantize.rules import Finding, Rule, neutral
from quantize.tflite import OPERATORS, write_tflite

if TYPE_CHECKING:
    from pathlib import Path

OPERATOR = Rule(
    name="operator",
    asks=f"networks of {', '.join(OPERATORS)}",
    instead="write it with these, or choose openvino, which runs anything in float",
    source="LiteRT, 8-bit quantization specification; quantize/tflite.py",
)
FORM = Rule(
    name="form",
    asks="these operators in forms that TFLite has",
    instead="see the finding",
    source="LiteRT, 8-bit quantization specification; quantize/tflite.py",
)


def check(path: Path) -> list[Finding]:
    """List what can't be written. Raises ModelError where the file can't be read."""
    model = neutral(path)
    findings = [
        Finding(rule=OPERATOR, node=node.name.removeprefix(NETWORK), what=f"{node.op_type} has no integer form")
        for node in model.graph.node
        if node.name.startswith(NETWORK) and node.op_type not in OPERATORS
    ]
    if findings:
        return findings
    try:
        write_tflite(model, None)
    except ModelError as error:
        node, _, what = str(error).partition(": ")
        return [Finding(rule=FORM, node=node, what=what)]
    return []
