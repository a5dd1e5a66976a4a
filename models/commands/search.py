"""`edgeloupe search`: many trainings of one recipe find its best settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "search the best settings of a recipe; several machines may share one study"
NEEDS = ("torch",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a training recipe, YAML")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set, with splits")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="where trials and best.yaml go")
    parser.add_argument(
        "--trials", type=int, default=30, metavar="N", help="trials in all, those made before among them"
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where the study is kept (default: sqlite:///OUT/study.db); resumed if it exists",
    )
    parser.add_argument("--study", metavar="NAME", help="the study's name (default: the recipe's)")
    parser.add_argument(
        "--space", type=Path, metavar="FILE", help="what is searched, YAML (default: learning rate, losses, sampling)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:NUMBER (default: cuda where there is one)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    import torch

    from edge.table import table
    from models.recipe import load_recipe
    from models.search import DEFAULT_SPACE, load_space, open_study, search_settings
    from models.train import Options

    recipe = load_recipe(args.recipe)
    space = load_space(args.space, recipe) if args.space else DEFAULT_SPACE
    if args.threads:
        torch.set_num_threads(args.threads)
    args.output.mkdir(parents=True, exist_ok=True)
    study = open_study(
        args.study or recipe.name, args.storage or f"sqlite:///{args.output / 'study.db'}", recipe, space
    )
    search_settings(study, recipe, space, args.data, args.output, args.trials, Options(device=args.device))
    trials = sorted(study.trials, key=lambda trial: (trial.value is None, -(trial.value or 0)))
    rows = [
        (
            str(trial.number),
            trial.state.name.lower(),
            "" if trial.value is None else f"{trial.value:.4f}",
            *(_shown(trial.params.get(key)) for key in space.space),
        )
        for trial in trials
    ]
    print(table(("trial", "state", "score", *space.space), rows))
    print(f"best recipe: {args.output / 'best.yaml'}")
    return 0


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
