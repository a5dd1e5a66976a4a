"""`edgeloupe evaluate`: score a float model or a bundle against the truth."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "score a float ONNX model or a bundle on pictures with masks"
NEEDS = ("onnx", "onnxruntime", "pycocotools")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.tiles.options import add_tile_options

    parser.add_argument("model", type=Path, metavar="MODEL.onnx|BUNDLE")
    parser.add_argument("data", type=Path, metavar="DATASET", help="pictures with masks, split or not")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--format", metavar="NAME", help="of the annotations; default: by their content")
    parser.add_argument("--skip-broken", action="store_true", help="leave out what can't be read, and say so")
    parser.add_argument("--min-object-px", type=int, metavar="N", help="smaller blobs don't count; default: by picture")
    parser.add_argument(
        "--reject", action="append", metavar="CLASS", help="class that makes a part defective; default: the focus class"
    )
    parser.add_argument("--target", metavar="NAME", help="of a bundle; default: one that runs here")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page for people")
    add_tile_options(parser)


def run(args: argparse.Namespace) -> int:
    from edge.errors import ConfigError
    from edge.tiles.options import read_tile_options
    from models.datasets import open_dataset
    from quantize.estimate import conclude
    from quantize.evaluate import evaluate, open_model, part_of, terms_for
    from quantize.evaluation_report import write_evaluation
    from quantize.evaluation_table import evaluation_table

    if args.min_object_px is not None and args.min_object_px < 1:
        raise ConfigError(f"--min-object-px {args.min_object_px}: must be at least 1")
    data = open_dataset(args.data, args.format)
    faults = [f"{fault.where}: {fault.why}" for fault in data.faults]
    samples, split = part_of(data if args.skip_broken else data.sound(), args.split)
    with open_model(args.model, args.target, args.threads, read_tile_options(args)) as model:
        terms = terms_for(model, args.reject, args.min_object_px)
        measured = evaluate(model, samples, terms, skip_broken=args.skip_broken)
        told = conclude(model, measured, terms, (data.root.resolve().name, split), faults)
        print(told.model_dump_json(indent=1) if args.json else evaluation_table(told))
        for skipped in told.skipped:
            print(f"edgeloupe: skipped {skipped}", file=sys.stderr)
        if args.report:
            write_evaluation(args.report, told, measured, model, terms, shlex.join(["edgeloupe", *sys.argv[1:]]))
    return 0
