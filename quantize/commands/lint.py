"""`edgeloupe lint`: what a target would refuse or run slowly, told by the file alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "tell which nodes a target would refuse, and what to write instead; exit 1 when there are any"
NEEDS = ("onnx",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from quantize.rules import NAMES

    parser.add_argument("model", type=Path, metavar="MODEL", help="ONNX or TFLite")
    parser.add_argument("--target", required=True, choices=NAMES, help="the device's chip")
    parser.add_argument("--all", action="store_true", help="list every node, not just the first of each kind")


def run(args: argparse.Namespace) -> int:
    from edge.table import table
    from quantize.rules import check, summary

    findings = check(args.model, args.target)
    if not findings:
        print(f"{args.model}: nothing to be found for {args.target}")
        return 0
    rows = summary(findings, every=args.all)
    print(table(("rule", "node", "count", "finding"), [row[:4] for row in rows]))
    for rule in dict.fromkeys(finding.rule for finding in findings):
        print(f"\n{rule.name}: {args.target} asks for {rule.asks}: {rule.instead} ({rule.source})")
    breaking = sum(finding.rule.breaks for finding in findings)
    if breaking:
        print(f"edgeloupe: {args.target} would refuse {args.model}: {breaking} findings", file=sys.stderr)
    return 1 if breaking else 0
