"""Quantisation-aware training: numbers rounded as a chip rounds them, and networks that learn to live with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import onnx
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edge.errors import ConfigError
from models.checkpoint import Checkpoint
from models.datasets import open_dataset
from models.export import export
from models.metrics import Confusion
from models.quantisation_aware import rounded, rounded_by_channel, rounding
from models.recipe import Recipe
from models.train import Options, train
from models.validation import View, read_validation, validate
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shift", [-20.0, 0.0, 20.0], ids=["negative", "both", "positive"])
def test_activations_take_as_many_values_as_there_are_and_0_is_one_of_them(shift: float) -> None:
    values = noise(2, 3, 40, 40) + shift
    values[0, 0, 0, 0] = 0
    found = rounded(values, 8)
    step = (values.max().clamp_min(0) - values.min().clamp_max(0)).item() / 255
    assert len(set(found.flatten().tolist())) <= 256
    assert found[0, 0, 0, 0] == 0
    assert (found - values).abs().max().item() < 1.01 * step  # half a step, and half a step of the zero point


def test_a_channel_s_rounding_scales_with_it() -> None:
    weight, scale = noise(4, 3, 3, 3), torch.tensor([0.01, 1.0, 100.0, 7.0])
    for axis, shape in ((0, (4, 1, 1, 1)), (1, (1, 4, 1, 1))):
        turned = weight if axis == 0 else weight.transpose(0, 1)
        found = rounded_by_channel(turned * scale.view(shape), 8, axis)
        torch.testing.assert_close(found, rounded_by_channel(turned, 8, axis) * scale.view(shape))
        assert all(len(set(channel.flatten().tolist())) <= 255 for channel in found.unbind(axis))
        assert not torch.equal(found, turned * scale.view(shape))


def test_what_is_all_zero_stays_so() -> None:
    assert not rounded(torch.zeros(1, 1, 2, 2), 8).any()
    assert not rounded_by_channel(torch.zeros(2, 1, 2, 2), 8, 0).any()


def test_gradients_pass_as_if_nothing_had_been_rounded() -> None:
    values, weight = noise(1, 2, 5, 5).requires_grad_(), noise(3, 2, 3, 3).requires_grad_()
    (rounded(values, 4).sum() + rounded_by_channel(weight, 4, 0).sum()).backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.eq(1).float().mean() > 0.9  # all but the ends of the range, where it may be cut
    assert weight.grad is not None
    assert weight.grad.eq(1).all()


def test_convolutions_and_linear_layers_see_rounded_numbers_while_it_is_entered() -> None:
    picture, row, kernel, matrix = noise(1, 4, 6, 6), noise(2, 4), noise(4, 4, 3, 3), noise(5, 4)

    def compute(*, picture: Tensor, row: Tensor, kernels: tuple[Tensor, Tensor], matrix: Tensor) -> list[Tensor]:
        return [
            functional.conv2d(picture, kernels[0], padding=1),
            functional.conv_transpose2d(picture, kernels[1], stride=2),
            functional.linear(row, matrix),
        ]

    given: dict[str, Any] = {"picture": picture, "row": row, "kernels": (kernel, kernel), "matrix": matrix}
    with rounding(None):
        exact = compute(**given)
    with rounding(3):
        found = compute(**given)
    expected = compute(
        picture=rounded(picture, 3),
        row=rounded(row, 3),
        kernels=(rounded_by_channel(kernel, 3, 0), rounded_by_channel(kernel, 3, 1)),
        matrix=rounded_by_channel(matrix, 3, 0),
    )
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(exact, compute(**given))
    assert not any(torch.allclose(one, other, atol=1e-2) for one, other in zip(found, exact, strict=True))


def recipe_of(**train: float) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "toy",
            "classes": [{"name": "good"}, {"name": "spot"}],
            "score_class": "spot",
            "input": {"width": 96, "height": 64},
            "arch": {"width": 0.5},
            "train": {"epochs": 10, "batch": 8, "warmup_epochs": 0, "ema": 0.8, **train},
            "provenance": {"licence": "MIT", "data": "toys"},
        }
    )


TUNING = recipe_of(learning_rate=1e-3)


def aware(bits: int) -> Recipe:
    return recipe_of(learning_rate=1e-3, quantisation_bits=bits)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_pictures(tmp_path_factory.mktemp("data") / "toys", train=24, val=6, test=1)


@pytest.fixture(scope="module")
def trained(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train(recipe_of(epochs=20), toys, out)
    return out / "best.pt"


def views_of(toys: Path, part: Literal["train", "val"]) -> list[View]:
    return read_validation(open_dataset(toys).part(part), TUNING)


def test_a_network_learns_to_live_with_few_bits(toys: Path, trained: Path, tmp_path: Path) -> None:
    before = Checkpoint.load(trained)
    longer = train(TUNING, toys, tmp_path / "longer", Options(start=trained))
    bound = train(aware(2), toys, tmp_path / "aware", Options(start=trained))
    views = views_of(toys, "val")
    ious = [validate(one.network(), views, aware(2))[1] for one in (before, longer, bound)]
    assert ious[2] == pytest.approx(bound.score)  # validated as it was trained
    assert ious[2] > max(ious[:2]) + 0.1
    statistics = [name for name in before.weights if name.endswith(("running_mean", "running_var"))]
    assert all(torch.equal(bound.weights[name], before.weights[name]) for name in statistics)


def with_outliers(checkpoint: Checkpoint, factor: float) -> Checkpoint:
    """Scale two channels between linear layers up and what listens to them down: the same network in float."""
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    for makers, listeners in (
        (("stage2.body.1.1",), ("stage3.0.body.0.0", "merge2.lateral.0")),
        (
            [f"stage3.{n}.body.2.1" for n in range(3)],
            ("stage3.1.body.0.0", "stage3.2.body.0.0", "stage4.0.body.0.0", "merge3.lateral.0"),
        ),
    ):
        for name in makers:
            weights[f"{name}.weight"][:2] *= factor
            weights[f"{name}.bias"][:2] *= factor
        for name in listeners:
            weights[f"{name}.weight"][:, :2] /= factor
    return replace(checkpoint, weights=weights)


def integer_iou(checkpoint: Checkpoint, toys: Path, folder: Path) -> float:
    """Quantise after training, as the workshop does first, and score on the device's own runtime."""
    from edge import runtimes
    from quantize.fold import fold, load_model
    from quantize.targets import Network
    from quantize.targets.openvino import OpenVinoTarget

    folder.mkdir()
    export(checkpoint, folder / "plain.onnx")
    onnx.save(fold(*load_model(folder / "plain.onnx")), folder / "folded.onnx")
    pictures = [one.picture for one in views_of(toys, "train")]
    candidates = OpenVinoTarget().candidates(Network(folder / "folded.onnx", pictures), folder)
    candidate = next(one for one in candidates if one.recipe.startswith("nncf"))  # our own plan equalises outliers
    confusion = Confusion(2)
    with runtimes.create("openvino", candidate.entry) as network:
        for one in views_of(toys, "val"):
            found = network.infer(one.picture)[0]
            confusion.add(found.repeat(2, axis=0).repeat(2, axis=1), one.truth)
    return confusion.iou()[1]


def test_int8_loses_less_of_a_network_that_was_trained_for_it(toys: Path, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    hard = with_outliers(Checkpoint.load(trained), 1000)
    hard.save(tmp_path / "hard.pt")
    tuned = train(aware(8), toys, tmp_path / "out", Options(start=tmp_path / "hard.pt"))
    in_float = validate(hard.network(), views_of(toys, "val"), TUNING)[1]
    before, after = (integer_iou(one, toys, tmp_path / name) for name, one in (("before", hard), ("after", tuned)))
    assert before < in_float - 0.1
    assert after > before + 0.05


def test_it_begins_with_a_trained_network(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.quantisation_bits: is for networks that are trained: give one with"):
        train(aware(8), toys, tmp_path / "out")
