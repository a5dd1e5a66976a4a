"""Training: seeded, chosen by validation, safe to load."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import torch

from models.recipe import Recipe
from models.train import Average, Checkpoint, train
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe.model_validate(
    {
        "name": "toy",
        "classes": [{"name": "good"}, {"name": "spot"}],
        "score_class": "spot",
        "input": {"width": 64, "height": 32},
        "arch": {"width": 0.5},
        "train": {"epochs": 3, "batch": 4, "warmup_epochs": 0, "validate_every": 1},
        "provenance": {"licence": "MIT", "data": "toys"},
    }
)


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    return write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)


def test_the_same_seed_gives_the_same_weights(toys: Path, tmp_path: Path) -> None:
    first, second = (train(RECIPE, toys, tmp_path / name) for name in ("a", "b"))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_the_best_epoch_on_the_validation_split_is_kept(toys: Path, tmp_path: Path) -> None:
    best = train(RECIPE, toys, tmp_path / "out")
    with (tmp_path / "out" / "history.csv").open(encoding="utf-8") as file:
        scores = [float(row["val_iou_spot"]) for row in csv.DictReader(file)]
    assert len(scores) == 3
    assert best.score == pytest.approx(max(scores), abs=1e-4)
    loaded = Checkpoint.load(tmp_path / "out" / "best.pt")
    assert (loaded.epoch, loaded.score, loaded.recipe) == (best.epoch, best.score, RECIPE)


def test_the_test_split_is_never_read(toys: Path, tmp_path: Path) -> None:
    for path in toys.rglob("*"):
        if path.is_file() and "test" in path.parts[-2:]:
            path.write_bytes(b"not to be opened")
    rows = (toys / "test.csv").read_text(encoding="utf-8").splitlines()[1:]
    for row in rows:
        base = toys if (toys / row.split(",")[0]).exists() else toys.parent
        (base / row.split(",")[0]).write_bytes(b"not to be opened")
    assert train(RECIPE, toys, tmp_path / "out").epoch >= 1


def test_an_average_of_equal_weights_is_those_weights() -> None:
    net = torch.nn.Linear(3, 2)
    average = Average(0.9)
    for _ in range(5):
        average.update(net)
    assert torch.allclose(average.weights["weight"], net.weight)
