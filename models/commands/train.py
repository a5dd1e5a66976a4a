"""`edgeloupe train`: a recipe and a data set become a checkpoint and float ONNX files."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from models.checkpoint import Checkpoint
    from models.recipe import Recipe

HELP = "train a segmentation network; writes best.pt, best.onnx, history.csv and worst.html"
NEEDS = ("torch", "onnx", "onnxscript")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="RECIPE|DATASET",
        help="a training recipe, YAML, or a data set, from whose labels a recipe is made and kept as OUT/recipe.yaml",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data set, with splits; goes with a recipe")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="where the results go")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on with the run that was stopped in OUT")
    beginning.add_argument(
        "--from", dest="start", type=Path, metavar="CHECKPOINT", help="begin with the weights of it that fit"
    )
    parser.add_argument(
        "--extra",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="learn from these pictures, too, never validate on them (repeatable)",
    )
    parser.add_argument("--skip-broken", action="store_true", help="leave out pictures whose annotation is broken")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:NUMBER (default: cuda where there is one)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    import torch

    from models.processes import leads
    from models.train import Options, train

    recipe, data = chosen(args)
    if args.threads:
        torch.set_num_threads(args.threads)
    options = Options(
        device=args.device,
        resume=args.resume,
        start=args.start,
        extra=tuple(args.extra),
        skip_broken=args.skip_broken,
    )
    try:
        best = train(recipe, data, args.output, options)
    except KeyboardInterrupt:
        if leads() and (args.output / "state.pt").exists():
            print(f"edgeloupe: stopped; the same command with --resume goes on ({args.output})", file=sys.stderr)
        raise
    if leads():
        _finish(best, args.output)
    return 0


def chosen(args: argparse.Namespace) -> tuple[Recipe, Path]:
    """Tell what is to be trained on which data."""
    from edge.errors import ConfigError
    from models.datasets import open_dataset
    from models.derive import derive_recipe, write_recipe
    from models.processes import leads
    from models.recipe import load_recipe

    if args.source.suffix in {".yaml", ".yml"} and not args.source.is_dir():
        if args.data is None:
            raise ConfigError(f"{args.source}: is a recipe: give its data set with --data DIR")
        return load_recipe(args.source), args.data
    if args.data is not None:
        raise ConfigError(f"{args.source}: is no recipe (*.yaml): give a recipe with --data, or the data set alone")
    kept = args.output / "recipe.yaml"
    if args.resume:
        return load_recipe(kept), args.source
    data = open_dataset(args.source)
    recipe = derive_recipe(data if args.skip_broken else data.sound(), args.source.resolve().stem)
    if kept.exists() and load_recipe(kept) != recipe:
        raise ConfigError(f"{kept}: is another recipe: train with `{kept} --data {args.source}`, or choose another -o")
    if leads():
        write_recipe(recipe, kept)
    return recipe, args.source


def _finish(best: Checkpoint, out: Path) -> None:
    from edge.table import table
    from models.export import export

    files = export(best, out / "best.onnx")
    with (out / "history.csv").open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if int(row["epoch"]) == best.epoch)
    ious = [(c.name, f"{100 * float(row[f'val_iou_{c.name}']):.1f} %") for c in best.recipe.classes]
    print(table(("class", "IoU on val"), ious))
    if told := best.calibration:
        before, after = (f"{100 * error:.2f} %" if error is not None else "-" for error in told.focus_error)
        print(
            f"temperature {told.temperature:.2f}: calibration error of pixels seen as {best.recipe.score_class} "
            f"{before} before, {after} after"
        )
    print(f"best epoch {best.epoch} of {best.recipe.train.epochs}: {', '.join(map(str, files))}")
    print(f"where it is worst: {out / 'worst.html'}")
