"""Rules: what the chip behind a target maps, and what to write instead of what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from edge.errors import ModelError
from models.card import CardInput, ModelCard
from models.recipe import ClassSpec
from quantize.canonical import canonical, image_input, read_onnx, shape_of
from quantize.fold import fold

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnx


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a target asks of a network."""

    name: str
    asks: str
    instead: str
    source: str
    breaks: bool = True  # the file is refused, or the node does not run where it should; else it only costs speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A node that does not keep to a rule."""

    rule: Rule
    node: str
    what: str


NAMES = ("jetson", "coral", "openvino", "cpu")


def check(path: Path, target: str) -> list[Finding]:
    """List what `target` would refuse of the file, or run slower than it has to.

    Raises:
        ModelError: it can't be read.
    """
    module = import_module(f"quantize.rules.{target}")
    findings: list[Finding] = module.check(path)
    return findings


def summary(findings: Sequence[Finding], *, every: bool = False) -> list[tuple[str, str, str, str]]:
    """Put findings of one rule together: rule, first node, how many, what; or list them all."""
    if every:
        return [(f.rule.name, f.node, "", f.what) for f in findings]
    groups: dict[Rule, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return [(rule.name, group[0].node, str(len(group)), group[0].what) for rule, group in groups.items()]


def neutral(path: Path) -> onnx.ModelProto:
    """Fold a float ONNX file between pictures and a class map without knowing what it was trained on.

    Raises:
        ModelError: it can't be read, or is no network from one picture to one map of logits.
    """
    where = str(path)
    model = canonical(read_onnx(path), where)
    given, made = (shape_of(value) for value in (image_input(model.graph, where), model.graph.output[0]))
    if len(given) != 4 or given[1] != 3 or len(made) != 4 or made[1] < 2:
        raise ModelError(
            f"{where}: takes {given} and gives {made}: rules are for networks from a picture to class maps"
        )
    card = ModelCard(
        name="neutral",
        classes=tuple(ClassSpec(name=f"class-{index}", index=index) for index in range(made[1])),
        focus="class-1",
        input=CardInput(width=given[3], height=given[2], mean=(0, 0, 0), std=(1, 1, 1)),
        arch="unknown",
        epochs=0,
        val_score=None,
        licence="unknown",
        data="unknown",
    )
    return fold(model, card)
