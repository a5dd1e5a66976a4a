"""`edgeloupe parity`: measure a bundle's receipt again, on any machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "measure again whether a bundle's INT8 network agrees with its float form; exit 1 when it does not"
NEEDS = ("onnxruntime",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="pictures with masks, split or not")
    parser.add_argument("--target", metavar="NAME", help="default: one that runs here")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    from edge.bundle import open_bundle
    from quantize.evaluate import list_samples
    from quantize.parity import compare, summarise
    from quantize.parity_table import parity_table
    from quantize.receipt import receipt_of

    bundle = open_bundle(args.bundle)
    target, _ = bundle.target_for([args.target] if args.target else ())
    receipt = receipt_of(bundle)
    then = receipt.targets[target]
    samples, _ = list_samples(args.data, args.split)
    measured = compare(bundle, {target: then.measured}, samples, args.threads)[target]
    parity = summarise(measured, bundle.manifest.class_names, bundle.manifest.focus_id)
    faults = receipt.gate.faults(parity)
    if args.json:
        print(parity.model_dump_json(indent=1))
    else:
        print(parity_table(parity, bundle.manifest.focus))
        print(f"the receipt says {then.parity.agreement.mean:.4f}, measured on {receipt.machine}")
    if faults:
        print(f"edgeloupe: parity lost: {'; '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0
