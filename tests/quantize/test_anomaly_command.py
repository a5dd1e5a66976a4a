"""`edgeloupe anomaly`: from a folder of good pictures to a float ONNX file and a page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from models.datasets import open_dataset
from quantize.commands import anomaly
from quantize.fold import load_model

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """
name: washer
classes: [{name: good}, {name: fault}]
score_class: fault
input: {width: 64, height: 32}
arch: {width: 0.5}
sampling: {synthetic: 0.5}
train: {epochs: 1, batch: 4, warmup_epochs: 0}
provenance: {licence: MIT, data: washers}
"""


def run(*args: str | Path) -> int:
    parser = argparse.ArgumentParser()
    anomaly.add_arguments(parser)
    return anomaly.run(parser.parse_args([str(arg) for arg in args]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good").mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        picture = rng.integers(90, 150, (40, 70, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "good" / f"part <{number}>.png"), picture)
    return tmp_path / "good"


def test_a_folder_of_good_pictures_becomes_a_model_and_a_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    out = tmp_path / "out"
    assert run(folder, "-o", out, "--recipe", recipe, "--device", "cpu", "--false-reject", "0.05") == 0
    assert load_model(out / "best.onnx")[1].class_names == ("good", "fault")
    assert {"best.pt", "best.onnx", "suspects.html", "data"} <= {path.name for path in out.iterdir()}
    assert open_dataset(out / "data").sound().is_split
    printed = capsys.readouterr().out
    assert "25.0%" in printed  # what three held-out pictures can promise
    assert "too few held-out pictures for 5.0%" in printed
    page = (out / "suspects.html").read_text(encoding="utf-8")
    assert "part &lt;3&gt;.png" in page
    assert "part <3>.png" not in page
    assert page.count("held out</p>") == 3


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="good pictures of 0 parts"):
        run(tmp_path, "-o", tmp_path / "out")


@pytest.mark.parametrize("given", [("--size", "250x256"), ("--size", "x"), ("--false-reject", "0"), ("--size", "0x32")])
def test_sizes_and_shares_that_make_no_sense_are_bad_use(
    given: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, "-o", tmp_path / "out", *given)
    assert stopped.value.code == 2
    assert given[0] in capsys.readouterr().err
