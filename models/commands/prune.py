"""`edgeloupe prune`: a trained network becomes a narrower one, trained to do without."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "take the least useful channels out of a trained network and fine-tune it; writes best.pt and best.onnx"
NEEDS = ("torch", "onnx", "onnxscript", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .pt file that `edgeloupe train` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set to fine-tune on")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="where the results go")
    parser.add_argument("--keep", type=float, required=True, metavar="SHARE", help="share of the operations to be left")
    parser.add_argument("--epochs", type=int, required=True, metavar="N", help="epochs of fine-tuning in each round")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="prune and fine-tune by turns (default: 1)")
    parser.add_argument(
        "--teacher", type=Path, metavar="CHECKPOINT", help="supervises the fine-tuning; the pruned one itself is good"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:NUMBER (default: cuda where there is one)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    import torch

    from edge.table import table
    from models.checkpoint import Checkpoint
    from models.export import export
    from models.prune import Wanted, compare, prune

    if args.threads:
        torch.set_num_threads(args.threads)
    wanted = Wanted(keep=args.keep, epochs=args.epochs, rounds=args.rounds, teacher=args.teacher)
    try:
        pruned = prune(args.checkpoint, args.data, args.output, wanted, args.device)
    except KeyboardInterrupt:
        if (args.output / "state.pt").exists():
            order = f"train {args.output / 'recipe.yaml'} --data {args.data} -o {args.output} --resume"
            print(f"edgeloupe: stopped; `edgeloupe {order}` goes on", file=sys.stderr)
        raise
    (file,) = export(pruned, args.output / "best.onnx")
    print(
        table(("", "before", "after", "after / before"), compare(Checkpoint.load(args.checkpoint), pruned, args.data))
    )
    print(f"{args.output / 'best.pt'}, {file}")
    return 0
