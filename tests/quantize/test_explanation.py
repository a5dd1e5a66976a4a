"""Explanations of the toy and of the shipped network: true, by their own proof, and drawn; and `edgeloupe explain`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from edge.errors import ConfigError
from edge.picture import read_picture
from models import archs
from models.checkpoint import Checkpoint
from models.explain import cover, hottest
from models.recipe import Recipe
from quantize.commands import explain as command
from quantize.evaluate import open_model
from quantize.explanation import SHARE, Explanation, explain_class, explain_place, sheet
from quantize.toy import HEIGHT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.picture import Picture
    from edge.segment import Segmenter
    from quantize.evaluate import Model

ROOT = Path(__file__).parents[2]
SPOTS = ((80, 60), (240, 130))  # x, y


@pytest.fixture(scope="module")
def toy(network: Path) -> Iterator[Model]:
    with open_model(network, threads=1) as model:
        yield model


@pytest.fixture(scope="module")
def segmenter(toy: Model) -> Segmenter:
    assert toy.segmenter is not None
    return toy.segmenter


@pytest.fixture
def picture() -> Picture:
    """Two red spots on noisy grey, twice the toy's size."""
    grey = np.random.default_rng(0).normal(128, 6, (2 * HEIGHT, 2 * WIDTH, 1))
    made = np.repeat(grey.clip(0, 255).astype(np.uint8), 3, axis=2)
    for spot in SPOTS:
        cv2.circle(made, spot, 14, (20, 20, 235), -1)
    return made


def share_near(why: Explanation, x: int, y: int) -> float:
    """Give the share of the heat within 20 pixels of the network's picture."""
    near = np.zeros(why.heat.shape, np.uint8)
    cv2.circle(near, (x // 2, y // 2), 20, 1, -1)
    return float(why.heat[near > 0].sum() / why.heat.sum())


def test_a_class_rests_on_all_its_spots(segmenter: Segmenter, picture: Picture) -> None:
    why = explain_class(segmenter, picture, 1)
    assert why is not None
    shares = [share_near(why, *spot) for spot in SPOTS]
    assert min(shares) > 0.3
    assert sum(shares) > 0.9
    assert why.certainty > 0.9
    assert why.certainty_without < 0.2
    assert why.certainty_by_chance > 0.8


def test_a_region_rests_on_its_own_spot(segmenter: Segmenter, picture: Picture) -> None:
    why = explain_place(segmenter, picture, *SPOTS[1])
    assert why is not None
    assert why.class_id == 1
    assert share_near(why, *SPOTS[1]) > 0.9


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (2 * WIDTH, 0), (0, 2 * HEIGHT)])
def test_beside_the_picture_there_is_nothing_to_explain(
    segmenter: Segmenter, picture: Picture, place: tuple[int, int]
) -> None:
    assert explain_place(segmenter, picture, *place) is None


def test_what_is_not_seen_is_not_explained(segmenter: Segmenter) -> None:
    assert explain_class(segmenter, np.full((96, 160, 3), 128, np.uint8), 1) is None


def test_a_sheet_shows_picture_mask_and_heat(toy: Model, segmenter: Segmenter, picture: Picture) -> None:
    why = explain_class(segmenter, picture, 1)
    assert why is not None
    drawn = sheet(picture, why, toy.classes)
    third = (drawn.shape[1] + 8) // 3
    spot = SPOTS[0][1] * (third - 8) // picture.shape[1], SPOTS[0][0] * (third - 8) // picture.shape[1]
    far = 10, (third - 8) // 2
    heat = drawn[:, 2 * third :].astype(int)
    assert heat[spot].sum() > heat[far].sum() + 150
    assert np.ptp(heat[far]) < 20  # grey, or nearly


@pytest.fixture(scope="module")
def leaf() -> Picture:
    return read_picture(ROOT / "edge" / "demo" / "pictures" / "leaf-02.jpg")


def test_the_shipped_network_decides_by_the_lesion_and_not_by_edges(leaf: Picture) -> None:
    with open_model(ROOT / "models" / "pretrained" / "coffee-leaf.onnx", threads=1) as model:
        assert model.segmenter is not None
        why = explain_class(model.segmenter, leaf, 2)
        assert why is not None
        grey = cv2.cvtColor(why.picture, cv2.COLOR_BGR2GRAY)
        edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        without_edges = np.where(hottest(edges, SHARE)[..., None], cover(why.picture), why.picture)
        seen = model.segmenter(without_edges)
    lesion = why.mask.classes == 2
    left = float(np.where(seen.classes == 2, seen.scores, 0)[lesion].mean()) / 255
    assert why.certainty_without < 0.1
    assert min(left, why.certainty_by_chance) > 0.8
    height, width = why.heat.shape
    around = cv2.dilate(cv2.resize(lesion.astype(np.uint8), (width, height)), np.ones((25, 25), np.uint8)) > 0
    assert why.heat[around].sum() > 0.8 * why.heat.sum()


def run(*given: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(one) for one in given]))


@pytest.fixture
def file(tmp_path: Path, picture: Picture) -> Path:
    path = tmp_path / "part.png"
    cv2.imwrite(str(path), picture)
    return path


def test_each_picture_gets_a_sheet_and_a_line(
    network: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "good.png"), np.full((192, 320, 3), 128, np.uint8))
    out = tmp_path / "out"
    assert run(network, file, tmp_path / "good.png", "-o", out, "--threads", 1) == 0
    assert [path.name for path in out.iterdir()] == ["part-why.png"]
    told = capsys.readouterr().out
    assert "good.png: shows no spot" in told
    assert "part-why.png: spot, 9" in told


def test_an_unreadable_picture_is_told_and_the_others_are_explained(
    network: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(network, tmp_path / "none.png", file, "-o", tmp_path / "out", "--region", "80,60", "--threads", 1) == 2
    assert "none.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "part-why.png").exists()


def test_a_bundle_is_explained_as_it_is_deployed(toy_bundle: Path, file: Path, tmp_path: Path) -> None:
    assert run(toy_bundle, file, "-o", tmp_path / "out", "--class", "spot", "--threads", 1) == 0
    assert (tmp_path / "out" / "part-why.png").exists()


def test_a_checkpoint_is_explained(file: Path, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "classes": [{"name": "good"}, {"name": "spot"}],
            "score_class": "spot",
            "input": {"width": 64, "height": 32},
            "arch": {"name": "fcn", "width": 0.5},
            "train": {"epochs": 1},
            "provenance": {"licence": "MIT", "data": "nothing"},
        }
    )
    torch.manual_seed(0)
    Checkpoint(recipe, archs.build("fcn", 2, width=0.5).state_dict(), 1, 0.5).save(tmp_path / "best.pt")
    assert run(tmp_path / "best.pt", file, "-o", tmp_path / "out", "--region", "80,60", "--threads", 1) == 0
    assert (tmp_path / "out" / "part-why.png").exists()


def test_a_class_that_the_model_does_not_know_is_told(network: Path, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--class dent: must be one of the model's classes good, spot"):
        run(network, file, "-o", tmp_path, "--class", "dent")


@pytest.mark.parametrize("text", ["80", "80,x", "1,2,3"])
def test_a_region_that_is_no_pixel_is_told(
    network: Path, file: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(network, file, "-o", tmp_path, "--region", text)
    assert f"{text}: must be a pixel of the picture" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(network: Path, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a folder that can be written"):
        run(network, file, "-o", file, "--threads", 1)
