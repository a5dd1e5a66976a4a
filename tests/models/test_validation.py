"""Validation: pictures as the device sees them, scores as the recipe says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models.annotation import IGNORE
from models.archs import Network, Seen
from models.datasets import read_split
from models.recipe import Recipe
from models.validation import View, read_validation, score, seen, validate
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TOY = {
    "name": "toy",
    "classes": [{"name": "good"}, {"name": "spot"}, {"name": "crack"}],
    "score_class": "spot",
    "input": {"width": 64, "height": 32},
    "train": {"epochs": 1},
    "provenance": {"licence": "MIT", "data": "toys"},
}
RECIPE = Recipe.model_validate(TOY)


class Half(Network):
    """Sees class 1 on the left half, at a quarter of the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(x), 3, x.shape[2] // 4, x.shape[3] // 4)
        logits[:, 1, :, : logits.shape[3] // 2] = 4.0
        logits[:, 0, :, logits.shape[3] // 2 :] = 4.0
        return logits + self.weight


class Instances(Half):
    """The same, but what it saw is only in what it decodes."""

    task = "instance"

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        return Seen(outputs[0][0].argmax(axis=0).astype(np.uint8))


def half() -> View:
    truth = np.zeros((32, 64), np.uint8)
    truth[:, :32] = 1
    truth[:8] = IGNORE
    return View("half", np.zeros((32, 64, 3), np.uint8), truth)


@pytest.mark.parametrize("net", [Half(), Instances()])
def test_what_was_seen_has_the_pictures_size(net: Network) -> None:
    classes = seen(net, half(), RECIPE.input)
    assert classes.shape == (32, 64)
    assert (classes[:, :31] == 1).all()
    assert (classes[:, 33:] == 0).all()


def test_a_perfect_network_scores_one_whatever_is_ignored() -> None:
    ious = validate(Half(), [half()], RECIPE)
    assert ious[:2] == [1.0, 1.0]
    assert np.isnan(ious[2])
    assert score(ious, RECIPE) == 1.0


def test_the_mean_leaves_out_the_background_and_what_is_not_there() -> None:
    mean = Recipe.model_validate(TOY | {"score": "mean"})
    assert score([0.1, 0.4, 0.8], mean) == pytest.approx(0.6)
    assert score([0.1, 0.4, float("nan")], mean) == pytest.approx(0.4)
    assert score([0.1, 0.4, 0.8], RECIPE) == 0.4


def test_pictures_are_prepared_as_on_the_device(tmp_path: Path) -> None:
    samples = read_split(write_toy_pictures(tmp_path / "toys", train=1, val=4, test=1), "val")
    for one in read_validation(samples, RECIPE):
        assert one.picture.shape == (32, 64, 3)
        red = (one.picture[:, :, 2] > 180) & (one.picture[:, :, 0] < 80)
        assert (red != (one.truth == 1)).mean() < 0.03
