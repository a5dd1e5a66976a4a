"""`edgeloupe train`: from a recipe to a float ONNX file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from models.commands import train
from quantize.fold import load_model
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RECIPE = """
name: toy
classes: [{name: good}, {name: spot}]
score_class: spot
input: {width: 64, height: 32}
arch: {width: 0.5}
train: {epochs: 1, batch: 4, warmup_epochs: 0}
provenance: {licence: MIT, data: toys}
"""


def test_training_writes_a_checkpoint_and_a_model_that_describes_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "toy.yaml").write_text(RECIPE, encoding="utf-8")
    root = write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    args = parser.parse_args([str(tmp_path / "toy.yaml"), "--data", str(root), "-o", str(tmp_path / "out")])
    assert train.run(args) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"best.pt", "last.pt", "history.csv", "best.onnx"}
    assert load_model(tmp_path / "out" / "best.onnx")[1].name == "toy"
    assert "IoU on val" in capsys.readouterr().out
