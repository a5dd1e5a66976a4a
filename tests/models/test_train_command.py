"""`edgeloupe train`: from a recipe, or from nothing but a data set, to a float ONNX file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from edge.errors import ConfigError, DatasetError
from models.commands import train
from models.recipe import load_recipe
from quantize.fold import load_model
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: toy
classes: [{name: good}, {name: spot}]
score_class: spot
input: {width: 64, height: 32}
arch: {width: 0.5}
train: {epochs: 1, batch: 4, warmup_epochs: 0}
provenance: {licence: MIT, data: toys}
"""


def parsed(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_training_writes_a_checkpoint_and_a_model_that_describes_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "toy.yaml").write_text(RECIPE, encoding="utf-8")
    root = write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)
    out = tmp_path / "out"
    assert train.run(parsed(tmp_path / "toy.yaml", "--data", root, "-o", out)) == 0
    assert {p.name for p in out.iterdir()} == {"best.pt", "last.pt", "history.csv", "best.onnx", "worst.html"}
    assert load_model(out / "best.onnx")[1].name == "toy"
    assert "IoU on val" in capsys.readouterr().out


def test_a_data_set_alone_gives_a_recipe_that_can_be_used_again(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=6, val=2, test=1)
    recipe, data = train.chosen(parsed(root, "-o", tmp_path / "out"))
    assert data == root
    assert load_recipe(tmp_path / "out" / "recipe.yaml") == recipe
    again = parsed(tmp_path / "out" / "recipe.yaml", "--data", root, "-o", tmp_path / "out")
    assert train.chosen(again) == (recipe, root)


def test_a_recipe_that_somebody_edited_is_not_overwritten(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=6, val=2, test=1)
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"recipe\.yaml: is another recipe"):
        train.chosen(parsed(root, "-o", tmp_path))
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == RECIPE


def test_a_data_set_without_splits_is_told_how_to_get_them(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=6, val=2, test=1)
    for path in root.glob("*.csv"):
        path.unlink()
    with pytest.raises(DatasetError, match="edgeloupe dataset split"):
        train.chosen(parsed(root, "-o", tmp_path / "out"))


def test_a_recipe_needs_its_data_and_a_data_set_needs_no_other(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(RECIPE, encoding="utf-8")
    with pytest.raises(ConfigError, match="--data DIR"):
        train.chosen(parsed(tmp_path / "toy.yaml", "-o", tmp_path))
    with pytest.raises(ConfigError, match="is no recipe"):
        train.chosen(parsed(tmp_path, "--data", tmp_path, "-o", tmp_path))
