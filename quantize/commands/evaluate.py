"""`edgeloupe evaluate`: score a float model or a bundle against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "score a float ONNX model or a bundle on pictures with masks"
NEEDS = ("onnx", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx|BUNDLE")
    parser.add_argument("data", type=Path, metavar="DATASET", help="pictures with masks, split or not")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--target", metavar="NAME", help="of a bundle; default: its first")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    from quantize.evaluate import evaluate, list_samples, open_any
    from quantize.parity_table import quality_table

    samples, _ = list_samples(args.data, args.split)
    with open_any(args.model, args.target, args.threads) as (segmenter, classes, focus):
        quality = evaluate(segmenter, samples, classes, focus)
    print(quality.model_dump_json(indent=1) if args.json else quality_table(quality, classes[focus].name))
    return 0
