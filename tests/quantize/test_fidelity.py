"""Fidelity: torch, the exported file and the device's own code, on the same pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge.cli import main
from edge.errors import ModelError
from models.checkpoint import Checkpoint, build_network
from models.export import export
from models.recipe import Recipe
from models.train import train
from quantize.evaluate import list_samples
from quantize.fidelity import Difference, compare_with_torch, faults, fidelity_table
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")


def recipe_of(arch: str, width: float = 0.5, **options: float) -> Recipe:
    return Recipe.model_validate(
        TOY
        | {
            "arch": {"name": arch, "width": width, "options": options},
            "train": {"epochs": 12, "batch": 4, "learning_rate": 0.01, "warmup_epochs": 0.5, "validate_every": 12},
        }
    )


def untrained(arch: str, width: float = 0.5, **options: float) -> Checkpoint:
    recipe = recipe_of(arch, width, **options)
    return Checkpoint(recipe, build_network(recipe).state_dict(), 1, 0.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    best = train(recipe_of("loupenet"), pictures, folder)
    assert best.score > 0.5  # masks of one class alone are no comparison
    return folder / "best.pt"


def test_export_shows_that_the_device_sees_what_torch_saw(
    trained: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(trained), "--data", str(pictures), "--threads", "1"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-3].startswith("pixels unlike torch")
    assert told[-2].startswith("in ONNX Runtime")
    assert told[-1].startswith("as the device runs it")


def test_an_export_that_sees_otherwise_is_told_by_picture(trained: Path, pictures: Path, tmp_path: Path) -> None:
    checkpoint, file = Checkpoint.load(trained), tmp_path / "other.onnx"
    export(checkpoint, file)
    model = onnx.load(file)
    bias = next(i for i in model.graph.initializer if i.name == model.graph.node[-1].input[2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.array([0, 50], np.float32), bias.name))
    onnx.save(model, file)
    samples, _ = list_samples(pictures, "test")
    differences = compare_with_torch(checkpoint, file, samples, 1)
    assert all(min(d.onnx, d.device or 0) > 0.1 for d in differences)
    assert [line.partition(":")[0] for line in faults(differences)] == [sample.picture.name for sample in samples]


def test_objects_are_compared_without_a_device_that_would_find_them(pictures: Path, tmp_path: Path) -> None:
    checkpoint, file = untrained("centermask"), tmp_path / "objects.onnx"
    export(checkpoint, file)
    differences = compare_with_torch(checkpoint, file, list_samples(pictures, "test")[0][:2], 1)
    assert [d.device for d in differences] == [None, None]
    assert not faults(differences)
    assert len(fidelity_table(differences).splitlines()) == 2


def test_what_sees_nothing_by_itself_is_refused(pictures: Path, tmp_path: Path) -> None:
    checkpoint = untrained("sam", width=0.2, depth=1, clicks=2)
    with pytest.raises(ModelError, match="promptable"):
        compare_with_torch(checkpoint, tmp_path / "best.encoder.onnx", list_samples(pictures, "test")[0])


def test_a_thousandth_of_the_pixels_may_differ() -> None:
    found = [Difference("a.png", 0.001, 0.0), Difference("b.png", 0.0, 0.0011), Difference("c.png", 0.0011, None)]
    assert [line.partition(":")[0] for line in faults(found)] == ["b.png", "c.png"]
    assert "0.11 % of the pixels differ from torch, at most 0.1 % may" in faults(found)[0]
