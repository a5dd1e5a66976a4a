"""Checkpoints: read back as written, harmless when damaged."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
import torch

from edge.errors import ConfigError, ModelError
from models.checkpoint import Checkpoint, build_network, load_plain
from models.recipe import Recipe
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe.model_validate(TOY)


def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    given = Checkpoint(RECIPE, build_network(RECIPE).state_dict(), 3, 0.5)
    given.save(tmp_path / "best.pt")
    read = Checkpoint.load(tmp_path / "best.pt")
    assert (read.recipe, read.epoch, read.score) == (RECIPE, 3, 0.5)
    assert all(torch.equal(read.weights[name], value) for name, value in given.weights.items())
    assert not read.network().training
    assert [path.name for path in tmp_path.iterdir()] == ["best.pt"]


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({"recipe": print}, 2)])
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pt: not a file of edgeloupe's training: give a \.pt file"):
        Checkpoint.load(tmp_path / "x.pt")


def test_another_dictionary_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"weights": {}}, tmp_path / "x.pt")
    assert load_plain(tmp_path / "x.pt", "something") == {"weights": {}}
    with pytest.raises(ModelError, match="not a checkpoint of edgeloupe"):
        Checkpoint.load(tmp_path / "x.pt")


@pytest.mark.parametrize("arch", [{"name": "none"}, {"options": {"speed": 1}}, {"options": {"width": 1}}])
def test_an_architecture_that_is_none_names_the_recipe(arch: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="recipe toy: arch: "):
        build_network(Recipe.model_validate(TOY | {"arch": arch}))
