"""Search: trials try recipes, the study remembers them, the best one is written."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from edge.errors import ConfigError
from models.commands import search as command
from models.recipe import Recipe, load_recipe
from models.search import DEFAULT_SPACE, Search, Space, load_space, open_study, varied
from quantize.toy import write_toy_pictures
from tests.models.toy import TOY_FILE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")

SPACE = """
space:
  train.learning_rate: {low: 0.001, high: 0.01, log: true}
  sampling.balance: {choices: [0, 1]}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "toy.yaml").write_text(TOY_FILE, encoding="utf-8")
    return load_recipe(tmp_path / "toy.yaml")


def run(tmp_path: Path, trials: int) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = [str(tmp_path / "toy.yaml"), "--data", str(tmp_path / "toys"), "-o", str(tmp_path / "out")]
    args = parser.parse_args([*given, "--space", str(tmp_path / "space.yaml"), "--trials", str(trials)])
    assert command.run(args) == 0


def test_trials_go_on_where_the_study_was_left(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    run(tmp_path, 2)
    first = capsys.readouterr().out
    run(tmp_path, 3)  # in all: one more
    table = capsys.readouterr().out
    assert "trial-0001" not in {path.name for path in (tmp_path / "out").glob("trial-0003*")}
    assert sorted(path.name for path in (tmp_path / "out").glob("trial-*")) == [f"trial-000{n}" for n in range(3)]
    assert first.count("complete") == 2
    assert table.count("complete") + table.count("pruned") == 3
    best = load_recipe(tmp_path / "out" / "best.yaml")
    assert 0.001 <= best.train.learning_rate <= 0.01
    assert best.model_copy(update={"train": recipe.train, "sampling": recipe.sampling}) == recipe
    with pytest.raises(ConfigError, match="searched another recipe or space"):
        open_study("toy", f"sqlite:///{tmp_path / 'out' / 'study.db'}", recipe, DEFAULT_SPACE)


def test_a_setting_is_found_by_its_path(recipe: Recipe) -> None:
    changed = varied(recipe, {"loss.dice": 0.5, "classes.1.weight": 3.0})
    assert (changed.loss.dice, changed.classes[1].weight) == (0.5, 3.0)
    assert recipe.loss.dice == 1.0


def test_whole_numbers_stay_whole() -> None:
    optuna = pytest.importorskip("optuna")
    trial = optuna.trial.FixedTrial({"train.batch": 8, "loss.dice": 0.5})
    assert Search(low=4, high=16).draw(trial, "train.batch") == 8
    assert Search(low=0.0, high=2.0).draw(trial, "loss.dice") == 0.5


@pytest.mark.parametrize("path", ["train.speed", "classes.7.weight", "name.x", "nothing"])
def test_a_setting_that_is_none_is_refused(recipe: Recipe, path: str) -> None:
    with pytest.raises(ConfigError, match=f"{path}: is no setting of a recipe"):
        varied(recipe, {path: 1})


def test_a_space_is_tried_before_any_training(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("space: {train.batch: {low: -1, high: 4}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"space\.yaml: train\.batch = -1: .*greater than 0"):
        load_space(tmp_path / "space.yaml", recipe)


@pytest.mark.parametrize("search", ["{low: 2, high: 1}", "{low: 0, high: 1, log: true}", "{low: 1}", "{}"])
def test_a_search_without_sense_is_refused(recipe: Recipe, tmp_path: Path, search: str) -> None:
    (tmp_path / "space.yaml").write_text(f"space: {{loss.dice: {search}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"space\.yaml:1: .*loss\.dice"):
        load_space(tmp_path / "space.yaml", recipe)


def test_a_storage_that_is_none_is_named(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match=r"storage no-url: .*give a URL"):
        open_study("toy", "no-url", recipe, Space(space={"loss.dice": Search(low=0.0, high=1.0)}))
