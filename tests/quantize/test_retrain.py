"""Training on under rounding, where rounding afterwards loses too much."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest
import torch

from edge.errors import ModelError
from models.checkpoint import Checkpoint, build_network
from models.export import export
from models.recipe import Recipe
from quantize.commands import quantize as quantize_command
from quantize.fold import load_model
from quantize.retrain import retrain
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    recipe = Recipe.model_validate(TOY)
    Checkpoint(recipe, build_network(recipe).state_dict(), 1, 0.0).save(tmp_path / "start.pt")
    return tmp_path / "start.pt"


@pytest.fixture
def model(checkpoint: Path, tmp_path: Path) -> Path:
    (path,) = export(Checkpoint.load(checkpoint), tmp_path / "start.onnx")
    return path


def quantised(model: Path, data: Path, key_file: Path, *more: object) -> int:
    parser = argparse.ArgumentParser()
    quantize_command.add_arguments(parser)
    where = (model, "--data", data, "--target", "coral", "--key", key_file, "-o", model.with_name("toy.loupe"))
    few = ("--calibration", 4, "--threads", 1)
    return quantize_command.run(parser.parse_args([str(a) for a in (*where, *few, *more)]))


def test_a_network_learns_on_gently_and_rounded(checkpoint: Path, model: Path, pictures: Path, tmp_path: Path) -> None:
    _, card = load_model(model)
    done = retrain(checkpoint, card, pictures, tmp_path / "out", epochs=1)
    held = Checkpoint.load(tmp_path / "out" / "best.pt")
    assert (held.recipe.train.quantisation_bits, held.recipe.train.warmup_epochs, held.recipe.train.epochs) == (8, 0, 1)
    assert held.recipe.train.learning_rate < Recipe.model_validate(TOY).train.learning_rate
    assert (done.before, done.after) == (0.0, held.score)
    assert load_model(done.model)[1].class_names == card.class_names


def test_a_gate_that_fails_is_tried_again_with_the_retrained_network(
    checkpoint: Path, model: Path, pictures: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retry = ("--retrain", checkpoint, "--epochs", 1, "--min-agreement", 1.5)
    assert quantised(model, pictures, key_file, *retry, "--accept", "R. Ek", "--json") == 0
    printed = capsys.readouterr()
    assert "gate not passed: training on under rounding for 1 epoch, in" in printed.err
    assert "score on val: 0.0000 in float before" in printed.err
    assert (model.parent / "toy.loupe.retrained" / "best.onnx").exists()


def test_a_gate_that_is_passed_needs_no_training(checkpoint: Path, model: Path, pictures: Path, key_file: Path) -> None:
    assert quantised(model, pictures, key_file, "--retrain", checkpoint, "--max-drop", 100, "--min-agreement", 0) == 0
    assert not (model.parent / "toy.loupe.retrained").exists()


def test_another_networks_checkpoint_is_refused(
    checkpoint: Path, network: Path, pictures: Path, tmp_path: Path
) -> None:
    _, card = load_model(network)
    other = card.model_copy(update={"name": "tiles"})
    with pytest.raises(ModelError, match=r"start\.pt: is not tiles: give the checkpoint"):
        retrain(checkpoint, other, pictures, tmp_path / "out", epochs=1)
