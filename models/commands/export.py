"""`edgeloupe export`: a checkpoint becomes a float ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "write a trained checkpoint as float ONNX files that describe themselves"
NEEDS = ("torch", "onnx", "onnxscript")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .pt file that `edgeloupe train` wrote")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the ONNX file (default: CHECKPOINT with the suffix .onnx)"
    )


def run(args: argparse.Namespace) -> int:
    from models.checkpoint import Checkpoint
    from models.export import export

    output: Path = args.output or args.checkpoint.with_suffix(".onnx")
    for file, card in export(Checkpoint.load(args.checkpoint), output).items():
        print(f"{file}: {card.name}, {len(card.classes)} classes, {card.input.width}x{card.input.height}")
    return 0
