"""`edgeloupe train`: a recipe and a data set become a checkpoint and a float ONNX file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "train a segmentation network from a recipe; writes best.pt, best.onnx and history.csv"
NEEDS = ("torch", "onnx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a training recipe, YAML")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a data set with train.csv, val.csv and test.csv"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    import torch

    from edge.table import table
    from models.export import export
    from models.recipe import load_recipe
    from models.train import train

    recipe = load_recipe(args.recipe)
    if args.threads:
        torch.set_num_threads(args.threads)
    best = train(recipe, args.data, args.output)
    export(best, args.output / "best.onnx")
    with (args.output / "history.csv").open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if int(row["epoch"]) == best.epoch)
    ious = [(c.name, f"{100 * float(row[f'val_iou_{c.name}']):.1f} %") for c in recipe.classes]
    print(table(("class", "IoU on val"), ious))
    print(f"best epoch {best.epoch} of {recipe.train.epochs}: {args.output / 'best.onnx'}")
    return 0
