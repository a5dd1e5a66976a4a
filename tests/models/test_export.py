"""Export: the ONNX files compute what the checkpoint's network does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edge.errors import ModelError
from models import archs
from models.archs import Part
from models.card import read_card
from models.checkpoint import Checkpoint
from models.export import export, write
from models.recipe import Recipe
from quantize.commands import export as export_command
from quantize.fold import load_model
from quantize.toy import toy_card

if TYPE_CHECKING:
    from pathlib import Path


def make(name: str, **options: float) -> Checkpoint:
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "classes": [{"name": "good"}, {"name": "spot", "colour": [255, 0, 0]}],
            "score_class": "spot",
            "input": {"width": 64, "height": 32},
            "arch": {"name": name, "width": 0.5, "options": options},
            "train": {"epochs": 1},
            "provenance": {"licence": "MIT", "data": "nothing", "notice": "made by a test"},
        }
    )
    torch.manual_seed(0)
    net = archs.build(name, 2, width=0.5, **options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training: folding them must matter
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return Checkpoint(recipe, net.state_dict(), 3, 0.75)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return make("loupenet")


@pytest.fixture(scope="module")
def exported(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "deep" / "tiny.onnx"
    assert list(export(checkpoint, path)) == [path]
    return path


def test_the_file_gives_the_networks_logits_without_batch_normalisation(checkpoint: Checkpoint, exported: Path) -> None:
    picture = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = checkpoint.network()(picture).numpy()
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(["logits"], {"picture": picture.numpy()})[0])
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_a_mobile_network_keeps_to_operators_that_quantise_well(exported: Path) -> None:
    operators = {node.op_type for node in onnx.load(exported).graph.node}
    assert operators == {"Conv", "Clip", "Add", "Resize"}


def test_the_file_describes_itself(exported: Path) -> None:
    _, card = load_model(exported)
    assert (card.name, card.focus, card.arch) == ("tiny", "spot", "loupenet x0.5")
    assert (card.task, card.part) == ("semantic", "")
    assert (card.epochs, card.val_score) == (3, 0.75)
    assert (card.licence, card.data, card.notice) == ("MIT", "nothing", "made by a test")


def test_the_file_says_nothing_of_the_machine_it_was_made_on(exported: Path) -> None:
    assert b".py" not in exported.read_bytes()


def test_nothing_is_left_beside_the_file(exported: Path) -> None:
    assert [file.name for file in exported.parent.iterdir()] == ["tiny.onnx"]


def test_a_network_of_two_parts_becomes_two_files(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    files = export(make("sam", depth=1, clicks=2), tmp_path / "best.onnx")
    assert [file.name for file in files] == ["best.encoder.onnx", "best.decoder.onnx"]
    for file, card in files.items():
        assert read_card(onnx.load(file), file.name) == card
        assert card.task == "promptable"
    assert [card.part for card in files.values()] == ["encoder", "decoder"]


def test_a_part_that_fails_leaves_no_file_of_the_others(tmp_path: Path) -> None:
    example = (torch.zeros(1, 3, 32, 64),)
    parts = {
        "encoder": Part(torch.nn.Flatten(), example, ("picture",), ("flat",)),
        "decoder": Part(torch.nn.Linear(7, 1), example, ("picture",), ("flat",)),
    }
    with pytest.raises(RuntimeError):
        write(parts, toy_card(), tmp_path / "best.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_beside_the_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(tmp_path / "best.pt")
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    assert export_command.run(parser.parse_args([str(tmp_path / "best.pt")])) == 0
    assert (tmp_path / "best.onnx").exists()
    assert "best.onnx: tiny, 2 classes, 64x32" in capsys.readouterr().out


def test_something_else_than_a_checkpoint_is_refused(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    (tmp_path / "x.pt").write_bytes(b"hello")
    with pytest.raises(ModelError, match=r"x\.pt: not a file of edgeloupe's training"):
        export_command.run(parser.parse_args([str(tmp_path / "x.pt")]))
    with pytest.raises(ModelError, match=r"none\.pt: No such file"):
        export_command.run(parser.parse_args([str(tmp_path / "none.pt")]))
