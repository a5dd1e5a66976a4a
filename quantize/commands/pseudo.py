"""`edgeloupe pseudo`: label pictures with what a model is sure of, to learn from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "label pictures with what a model is sure of; `edgeloupe train --extra` learns from them"
NEEDS = ("onnx", "onnxruntime", "PIL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx|BUNDLE")
    parser.add_argument("pictures", type=Path, metavar="DIR", help="unlabelled pictures")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the data set, a new folder")
    parser.add_argument(
        "--sure", type=float, default=0.9, metavar="P", help="probability from which on a pixel is of its class"
    )
    parser.add_argument("--sure-good", type=float, metavar="P", help="likewise of the first class (default: as --sure)")
    parser.add_argument(
        "--known", type=float, default=0.5, metavar="X", help="leave out pictures with a smaller share of sure pixels"
    )
    parser.add_argument("--target", metavar="NAME", help="of a bundle; default: its first")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    from edge.errors import ConfigError, DatasetError
    from edge.table import table
    from models.pictures import Pictures
    from quantize.evaluate import open_model
    from quantize.pseudo import Band, pseudo_label

    band = Band(sure=args.sure, sure_good=args.sure if args.sure_good is None else args.sure_good, known=args.known)
    for option, value in (("--sure", band.sure), ("--sure-good", band.sure_good)):
        if not 0.5 <= value <= 1:
            raise ConfigError(f"{option} {value:g}: must be between 0.5 and 1, a probability")
    pictures = Pictures(args.pictures).paths
    if not pictures:
        raise DatasetError(f"{args.pictures}: no pictures: give a folder of JPEG or PNG files")
    with open_model(args.model, args.target, args.threads) as model:
        done = pseudo_label(model, pictures, args.output, band)
    rows = [(spec.name, f"{share:.2%}") for spec, share in zip(model.classes, done.shares, strict=True)]
    print(table(("class", "of the sure pixels"), rows))
    print(f"{args.output}: {done.written} pictures, {done.known:.1%} of their pixels sure; {done.left_out} left out")
    return 0
