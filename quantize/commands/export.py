"""`edgeloupe export`: a checkpoint becomes a float ONNX file, and is shown to see the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "write a trained checkpoint as float ONNX files that describe themselves; exit 1 when they see otherwise"
NEEDS = ("torch", "onnx", "onnxscript", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .pt file that `edgeloupe train` wrote")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the ONNX file (default: CHECKPOINT with the suffix .onnx)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DATASET", help="compare torch, ONNX and the device's own code on these pictures"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    from models.checkpoint import Checkpoint
    from models.export import export
    from quantize.evaluate import list_samples
    from quantize.fidelity import compare_with_torch, faults, fidelity_table

    output: Path = args.output or args.checkpoint.with_suffix(".onnx")
    checkpoint = Checkpoint.load(args.checkpoint)
    samples = list_samples(args.data, args.split)[0] if args.data else []
    files = export(checkpoint, output)
    for file, card in files.items():
        print(f"{file}: {card.name}, {len(card.classes)} classes, {card.input.width}x{card.input.height}")
    if not samples:
        return 0
    differences = compare_with_torch(checkpoint, next(iter(files)), samples, args.threads)
    print(fidelity_table(differences))
    for fault in faults(differences):
        print(f"edgeloupe: {fault}", file=sys.stderr)
    return 1 if faults(differences) else 0
