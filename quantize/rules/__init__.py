"""Rules: what the chip behind a target maps, and what to write instead of what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from quantize.canonical import read_onnx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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


NAMES = ("jetson",)


def check(path: Path, target: str) -> list[Finding]:
    """List what `target` would refuse of the file, or run slower than it has to.

    Raises:
        ModelError: it can't be read.
    """
    module = import_module(f"quantize.rules.{target}")
    findings: list[Finding] = module.check(read_onnx(path))
    return findings


def summary(findings: Sequence[Finding], *, every: bool = False) -> list[tuple[str, str, str, str]]:
    """Put findings of one rule together: rule, first node, how many, what; or list them all."""
    if every:
        return [(f.rule.name, f.node, "", f.what) for f in findings]
    groups: dict[Rule, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return [(rule.name, group[0].node, str(len(group)), group[0].what) for rule, group in groups.items()]
