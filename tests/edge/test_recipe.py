"""Recipes: put together from the configuration, and the choice kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.config import Config
from edge.errors import ConfigError
from edge.recipe import RecipeChoice, bundle_of, recipes_of, served_recipes

ROI = [0, 0, 64, 64]


def config(folder: Path = Path("nowhere"), **more: Any) -> Config:
    told: dict[str, Any] = {
        "device": "d",
        "model": {"bundle": "model.loupe"},
        "cameras": {"a": {"source": "file:x", "zones": {"rim": {"outline": ROI}}}, "b": {"source": "file:y"}},
        "rules": {"spot": {"min_score": 0.6}},
        "storage": {"state_dir": str(folder), "runtime_dir": str(folder)},
        "recipes": {
            "plain": {},
            "other": {"rules": {"hole": {}}, "cameras": {"b": {"roi": ROI}}},
            "foreign": {"bundle": "foreign.loupe", "cameras": {"a": {"zones": {}}}},
        },
    }
    return Config.model_validate({**told, **more})


def test_what_a_recipe_does_not_say_is_as_for_the_device() -> None:
    recipes = recipes_of(config())
    assert list(recipes) == ["plain", "other", "foreign"]
    assert recipes["plain"].rules["spot"].min_score == 0.6
    assert set(recipes["other"].rules) == {"hole"}
    assert recipes["other"].cameras["b"].roi is not None
    assert recipes["other"].cameras["a"] == config().cameras["a"]
    assert (recipes["other"].zones, recipes["foreign"].zones) == ({"rim"}, set())


def test_a_device_without_recipes_has_one_without_a_name() -> None:
    only = recipes_of(config(recipes={}))
    assert list(only) == [None]
    assert only[None].rules == config().rules


def test_those_with_the_same_model_are_served_together() -> None:
    assert list(served_recipes(config())) == ["plain", "other"]
    assert list(served_recipes(config(recipe="foreign"))) == ["foreign"]
    assert bundle_of(config()) == Path("model.loupe")
    assert bundle_of(config(recipe="foreign")) == Path("foreign.loupe")


def test_a_choice_is_kept(tmp_path: Path) -> None:
    assert RecipeChoice(config(tmp_path)).read() == "plain"
    RecipeChoice(config(tmp_path)).write("other")
    assert RecipeChoice(config(tmp_path)).read() == "other"


def test_a_configuration_that_was_changed_since_outweighs_the_choice(tmp_path: Path) -> None:
    RecipeChoice(config(tmp_path)).write("other")
    assert RecipeChoice(config(tmp_path, recipe="foreign")).read() == "foreign"
    assert RecipeChoice(config(tmp_path, recipes={"plain": {}})).read() == "plain"
    assert RecipeChoice(config(tmp_path, recipes={})).read() is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"recipe_id": 7}', b'{"recipe_id": "none", "configured": "plain"}'])
def test_a_choice_that_can_not_be_read_is_the_configuration_s(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.json").write_bytes(content)
    assert RecipeChoice(config(tmp_path)).read() == "plain"


def test_a_choice_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").mkdir()
    with pytest.raises(ConfigError, match="the recipe stays as it is"):
        RecipeChoice(config(tmp_path)).write("other")
