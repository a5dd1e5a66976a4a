"""`edgeloupe anomaly`: good pictures alone become a network that marks what they don't show."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "learn from good pictures alone to mark what they don't show; writes best.pt, best.onnx and suspects.html"
NEEDS = ("torch", "onnx", "onnxscript", "PIL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("good", type=Path, metavar="DIR", help="good pictures, or a data set some of whose are good")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--format", metavar="NAME", help="of the data set (default: recognised by its content)")
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="a training recipe with sampling.synthetic, instead of the default"
    )
    parser.add_argument("--size", type=_size, default=(256, 256), metavar="WxH", help="input without a recipe, pixels")
    parser.add_argument("--name", help="of the model, without a recipe (default: the folder's)")
    parser.add_argument(
        "--licence", default="unstated", metavar="TEXT", help="what the model may be used for, without a recipe"
    )
    parser.add_argument(
        "--false-reject", type=_share, default=0.05, metavar="X", help="share of good pictures that may be rejected"
    )
    parser.add_argument("--from", dest="start", type=Path, metavar="CHECKPOINT", help="take over weights that fit")
    parser.add_argument("--resume", action="store_true", help="go on with the run in -o that was stopped")
    parser.add_argument("--device", metavar="NAME", help="as torch names it (default: CUDA where there is one)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    import torch

    from edge.table import table
    from models.annotation import slug
    from models.anomaly import default_recipe, learn
    from models.export import export
    from models.good import find_good
    from models.recipe import load_recipe
    from models.train import Options
    from quantize.suspects import write_suspects

    if args.threads:
        torch.set_num_threads(args.threads)
    good = find_good(args.good, args.format)
    name = slug(args.name or args.good.resolve().name)[:64]
    recipe = (
        load_recipe(args.recipe)
        if args.recipe
        else default_recipe(name, args.size, len(good.learn), licence=args.licence)
    )
    options = Options(device=args.device, resume=args.resume, start=args.start)
    learned = learn(good, recipe, args.output, args.false_reject, options)
    export(learned.checkpoint, args.output / "best.onnx")
    write_suspects(args.output / "suspects.html", learned, good)
    found = learned.threshold
    figures = [
        ("good pictures learned from", str(len(good.learn))),
        ("good pictures held out", str(found.pictures)),
        ("good pictures rejected, expected at most", f"{found.false_reject:.1%}"),
        ("IoU on held-out synthetic defects", f"{learned.checkpoint.score:.1%}"),
    ]
    print(table(("", ""), figures))
    if found.false_reject > args.false_reject:
        print(f"too few held-out pictures for {args.false_reject:.1%}: give more good pictures")
    print(f"{args.output / 'best.onnx'}; look at {args.output / 'suspects.html'}")
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 32 or int(height) % 32 or not int(width):
        raise argparse.ArgumentTypeError(f"{text!r}: must be WIDTHxHEIGHT, both multiples of 32")
    return int(width), int(height)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be between 0 and 1")
    return value
