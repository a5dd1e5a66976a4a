"""Derived recipes fit the data set they were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.annotation import Mark
from models.datasets import Dataset, open_dataset
from models.derive import derive_recipe, write_recipe
from models.recipe import load_recipe
from models.sample import Sample
from quantize.toy import write_toy_pictures
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path


class Truth(NamedTuple):
    """Each label covers a quarter of what the one before it covers."""

    labels: tuple[str, ...]
    where: str = "truth"

    def marks(self, height: int, width: int) -> list[Mark]:
        marks = []
        for number, label in enumerate(self.labels):
            mask = np.zeros((height, width), bool)
            mask[: height >> 2 * number] = True
            marks.append(Mark(label, mask))
        return marks


def data_of(tmp_path: Path, *labels: str, size: tuple[int, int] = (640, 480), listed: bool = True) -> Dataset:
    Image.new("RGB", size).save(tmp_path / "1.png")
    sample = Sample(picture=tmp_path / "1.png", truth=Truth(labels), group="1", split="train")
    return Dataset(root=tmp_path, format="masks", labels=labels if listed else (), samples=(sample,))


def test_each_label_becomes_a_class_after_the_background(tmp_path: Path) -> None:
    recipe = derive_recipe(data_of(tmp_path, "Scratch", "AC Dent", "scratch", "OK"), "Line 3")
    assert [(spec.name, spec.labels) for spec in recipe.classes] == [
        ("background", ("OK",)),
        ("ac-dent", ("AC Dent",)),
        ("scratch", ("Scratch", "scratch")),
    ]
    assert recipe.name == "line-3"
    assert recipe.score == "mean"


def test_values_and_colours_become_classes_too(tmp_path: Path) -> None:
    recipe = derive_recipe(data_of(tmp_path, "0", "2", "10", "#00b000", listed=False), "x")
    assert [spec.name for spec in recipe.classes] == ["background", "class-2", "class-10", "class-00b000"]


def test_the_rarest_class_is_what_is_looked_for(tmp_path: Path) -> None:
    assert derive_recipe(data_of(tmp_path, "leaf", "spot", "stem"), "x").score_class == "stem"
    assert derive_recipe(data_of(tmp_path, "stem", "spot", "leaf"), "x").score_class == "leaf"


@pytest.mark.parametrize(
    ("size", "wanted"), [((2048, 1024), (736, 352)), ((300, 200), (288, 192)), ((20, 20), (64, 64))]
)
def test_the_input_has_the_pictures_shape(tmp_path: Path, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    recipe = derive_recipe(data_of(tmp_path, "dent", size=size), "x")
    assert (recipe.input.width, recipe.input.height) == wanted


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    recipe = derive_recipe(open_dataset(write_toy_pictures(tmp_path / "toys")), "toys")
    write_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe
    assert [spec.name for spec in recipe.classes] == ["background", "class-1"]


def test_nothing_marked_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing is marked"):
        derive_recipe(data_of(tmp_path, "background"), "x")


def test_the_tiles_have_five_defects() -> None:
    if not (SHARED / "tiles").is_dir():
        pytest.skip("needs the magnetic tiles in ../shared/data/tiles")
    recipe = derive_recipe(open_dataset(SHARED / "tiles"), "tiles")
    assert [spec.name for spec in recipe.classes] == ["background", "blowhole", "break", "crack", "fray", "uneven"]
    assert recipe.classes[0].labels == ("free",)
    assert recipe.score_class == "blowhole"
