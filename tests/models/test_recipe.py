"""Recipes: what stands in them is checked, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.errors import ConfigError
from models.recipe import LossSpec, Recipe, SamplingSpec, load_recipe
from tests.models.toy import TOY

SHIPPED = sorted((Path(__file__).parents[2] / "models" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_new_settings_are_off_unless_asked_for() -> None:
    sampling = SamplingSpec()
    assert (sampling.balance, sampling.defect_crop, sampling.copy_paste) == (0, 0, 0)
    loss = LossSpec()
    assert (loss.cross_entropy, loss.dice, loss.focal, loss.iou, loss.lovasz) == (1, 1, 0, 0, 0)


def test_a_recipe_without_any_loss_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of cross_entropy"):
        LossSpec(cross_entropy=0, dice=0)


@pytest.mark.parametrize("crop", [(0.0, 0.5), (0.7, 0.3)])
def test_a_cut_without_a_size_is_refused(crop: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="two shares above 0"):
        SamplingSpec(crop=crop)


def test_a_misspelt_key_is_named_with_its_line(tmp_path: Path) -> None:
    text = SHIPPED[0].read_text(encoding="utf-8").replace("score_class:", "sampling: {defect_crops: 0.5}\nscore_class:")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"recipe\.yaml:\d+: unknown key .*did you mean 'defect_crop'"):
        load_recipe(tmp_path / "recipe.yaml")


def test_a_recipe_survives_a_checkpoint() -> None:
    recipe = load_recipe(SHIPPED[0])
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("between", ["good", "edge", "stain"])
def test_a_border_lies_between_objects_of_another_class(between: str) -> None:
    classes = [{"name": "good"}, {"name": "spot"}, {"name": "edge", "between": between}]
    with pytest.raises(ValidationError, match=f"edge: between = '{between}': must be one of spot"):
        Recipe.model_validate(TOY | {"classes": classes})
