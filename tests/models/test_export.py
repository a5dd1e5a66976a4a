"""Export: the ONNX file computes what the checkpoint's network does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edge.errors import ModelError
from models import archs
from models.commands import export as export_command
from models.export import export, read_checkpoint
from models.recipe import Recipe
from models.train import Checkpoint
from quantize.fold import load_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "classes": [{"name": "good"}, {"name": "spot", "colour": [255, 0, 0]}],
            "score_class": "spot",
            "input": {"width": 64, "height": 32},
            "arch": {"width": 0.5},
            "train": {"epochs": 1},
            "provenance": {"licence": "MIT", "data": "nothing", "notice": "made by a test"},
        }
    )
    torch.manual_seed(0)
    net = archs.build("loupenet", 2, width=0.5)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training: folding them must matter
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return Checkpoint(recipe, net.state_dict(), 3, 0.75)


def test_the_file_gives_the_networks_logits_without_batch_normalisation(checkpoint: Checkpoint, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "tiny.onnx")
    picture = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = checkpoint.network()(picture).numpy()
    session = onnxruntime.InferenceSession(str(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(["logits"], {"picture": picture.numpy()})[0])
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert "BatchNormalization" not in {n.op_type for n in onnx.load(tmp_path / "tiny.onnx").graph.node}


def test_the_file_describes_itself(checkpoint: Checkpoint, tmp_path: Path) -> None:
    written = export(checkpoint, tmp_path / "deep" / "tiny.onnx")
    _, card = load_model(tmp_path / "deep" / "tiny.onnx")
    assert card == written
    assert (card.name, card.focus, card.arch) == ("tiny", "spot", "loupenet x0.5")
    assert (card.epochs, card.val_score) == (3, 0.75)
    assert (card.licence, card.data, card.notice) == ("MIT", "nothing", "made by a test")
    assert not list(tmp_path.rglob("*.partial"))


def test_the_command_writes_beside_the_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    checkpoint.save(tmp_path / "best.pt")
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    assert export_command.run(parser.parse_args([str(tmp_path / "best.pt")])) == 0
    assert (tmp_path / "best.onnx").exists()
    assert "tiny, 2 classes, 64x32" in capsys.readouterr().out


def test_something_else_than_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"hello")
    with pytest.raises(ModelError, match=r"x\.pt: not a checkpoint of edgeloupe"):
        read_checkpoint(tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"none\.pt: No such file"):
        read_checkpoint(tmp_path / "none.pt")
