"""Pruning: narrower networks that cost what was asked, and are built, trained and exported as any other."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import torch

from edge.errors import ConfigError, ModelError
from models.checkpoint import Checkpoint, build_network
from models.commands import prune as prune_command
from models.cost import flops
from models.datasets import open_dataset
from models.export import export
from models.narrow import channel_counts
from models.prune import BLOCK, Wanted, prune, thin_out
from models.recipe import Recipe, load_recipe
from models.train import train
from models.training_set import TrainingSet
from quantize.toy import write_toy_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from models.archs import Network

pytest.importorskip("torch_pruning")

pytestmark = pytest.mark.usefixtures("one_thread")

each_arch = pytest.mark.parametrize("arch", ["loupenet", "unet", "fcn", "deeplabv3plus"])

CLASSES = 16
"""As many as some layers have channels: they are not to be taken for these."""


def recipe_of(arch: str, *, classes: int = CLASSES, **options: float) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "toy",
            "classes": [{"name": "good"}, {"name": "spot"}, *({"name": f"c{n}"} for n in range(2, classes))],
            "score_class": "spot",
            "input": {"width": 64, "height": 32},
            "arch": {"name": arch, "options": options},
            "train": {"epochs": 1, "batch": 4},
            "provenance": {"licence": "MIT", "data": "toys"},
        }
    )


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_pictures(tmp_path_factory.mktemp("data") / "toys", train=8, val=2, test=1)


@pytest.fixture(scope="module")
def training(toys: Path) -> TrainingSet:
    return TrainingSet(open_dataset(toys).part("train"), recipe_of("loupenet"))


def fresh(recipe: Recipe) -> Network:
    torch.manual_seed(0)
    return build_network(recipe).eval()


def look(net: Network) -> torch.Tensor:
    picture = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits: torch.Tensor = net.eval()(picture)
    return logits


def checkpoint_of(net: Network, recipe: Recipe) -> Checkpoint:
    arch = recipe.arch.model_copy(update={"channels": channel_counts(net)})
    return Checkpoint(recipe.model_copy(update={"arch": arch}), net.state_dict(), 1, 0.5)


@each_arch
def test_a_pruned_network_is_built_again_and_exported(arch: str, training: TrainingSet, tmp_path: Path) -> None:
    recipe = recipe_of(arch)
    net = fresh(recipe)
    full, shape, counts = flops(net, recipe.input), look(net).shape, channel_counts(net)

    thin_out(net, recipe, training, 0.7 * full)

    assert 0.6 * full < flops(net, recipe.input) <= 0.7 * full
    assert look(net).shape == shape
    pruned = {name: now for name, now in channel_counts(net).items() if now != counts[name]}
    assert pruned
    assert {count % BLOCK for now in pruned.values() for count in now if count not in (1, 3)} == {0}

    checkpoint_of(net, recipe).save(tmp_path / "pruned.pt")
    again = Checkpoint.load(tmp_path / "pruned.pt")
    assert torch.equal(look(again.network()), look(net))

    (card,) = export(again, tmp_path / "pruned.onnx").values()
    assert card.arch == f"{arch} x1, pruned"
    session = onnxruntime.InferenceSession(tmp_path / "pruned.onnx", providers=["CPUExecutionProvider"])
    picture = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    found = np.asarray(session.run(["logits"], {"picture": picture.numpy()})[0])
    assert np.abs(found - look(net).numpy()).max() < 1e-3 * look(net).abs().max()


def test_channels_that_nobody_listens_to_go_first(training: TrainingSet) -> None:
    recipe = recipe_of("loupenet")
    net = fresh(recipe)
    listener = net.get_submodule("stage2.body.1.0")
    assert isinstance(listener, torch.nn.Conv2d)
    with torch.no_grad():
        listener.weight[:, BLOCK : 2 * BLOCK] = 0
    before, kept = look(net), torch.cat([listener.weight[:, :BLOCK], listener.weight[:, 2 * BLOCK :]], dim=1)

    thin_out(net, recipe, training, flops(net, recipe.input) - 1)

    assert torch.equal(listener.weight, kept)
    torch.testing.assert_close(look(net), before)


def test_each_round_is_fine_tuned_and_can_be_trained_on(toys: Path, tmp_path: Path) -> None:
    recipe = recipe_of("loupenet", classes=2)
    net = fresh(recipe)
    Checkpoint(recipe, net.state_dict(), 1, 0.5).save(tmp_path / "whole.pt")

    wanted = Wanted(keep=0.64, epochs=1, rounds=2, teacher=tmp_path / "whole.pt")
    pruned = prune(tmp_path / "whole.pt", toys, tmp_path / "out", wanted)

    whole = flops(net, recipe.input)
    first = Checkpoint.load(tmp_path / "out" / "round-1" / "best.pt").network()
    assert 0.7 * whole < flops(first, recipe.input) <= 0.8 * whole
    assert flops(pruned.network(), recipe.input) <= 0.64 * whole
    before = Checkpoint.load(tmp_path / "out" / "pruned.pt").weights
    assert any(not torch.equal(before[name], value) for name, value in pruned.weights.items())
    written = load_recipe(tmp_path / "out" / "recipe.yaml")
    assert written == pruned.recipe
    assert written.distil is not None
    assert written.train.epochs == 1
    assert written.train.learning_rate == pytest.approx(0.3 * recipe.train.learning_rate)
    again = train(written, toys, tmp_path / "again")
    assert {name: v.shape for name, v in again.weights.items()} == {name: v.shape for name, v in pruned.weights.items()}


def test_the_command_tabulates_what_it_cost(toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = recipe_of("unet", classes=2, depth=1)
    recipe = recipe.model_copy(update={"arch": recipe.arch.model_copy(update={"width": 2})})
    Checkpoint(recipe, fresh(recipe).state_dict(), 1, 0.5).save(tmp_path / "whole.pt")
    parser = argparse.ArgumentParser()
    prune_command.add_arguments(parser)
    order = f"{tmp_path / 'whole.pt'} --data {toys} -o {tmp_path / 'out'} --keep 0.5 --epochs 1"
    assert prune_command.run(parser.parse_args(order.split())) == 0
    assert (tmp_path / "out" / "best.onnx").exists()
    rows = {line.split("  ")[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines()}
    assert 0.4 < float(rows["GFLOP"]) <= 0.5
    assert float(rows["parameters"]) < 1
    assert float(rows["time per picture"]) > 0
    assert rows["val IoU spot"] == "points"


def test_what_cannot_be_done_is_said(toys: Path, training: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--keep 1\.5: must be a share"):
        Wanted(keep=1.5, epochs=1)
    with pytest.raises(ConfigError, match="--epochs 0: must be at least 1"):
        Wanted(keep=0.5, epochs=0)
    refused = partial(prune, tmp_path / "x.pt", toys, tmp_path / "out")
    recipe = recipe_of("centermask", classes=2)
    Checkpoint(recipe, fresh(recipe).state_dict(), 1, 0.5).save(tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"x\.pt: its task is instance: only semantic networks can be pruned"):
        refused(Wanted(keep=0.5, epochs=1))
    recipe = recipe_of("unet", classes=2, depth=1)
    Checkpoint(recipe, fresh(recipe).state_dict(), 1, 0.5).save(tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"x\.pt: can't be pruned below \d+% of its operations: keep more"):
        refused(Wanted(keep=0.05, epochs=1))
    (tmp_path / "out" / "state.pt").write_bytes(b"")
    with pytest.raises(ConfigError, match="an unfinished run lies here"):
        refused(Wanted(keep=0.5, epochs=1))


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ({"stem.9": (8, 3)}, "stem.9: no convolution or batch normalisation has this name"),
        ({"stem.0": (24, 3)}, r"stem.0: \[24, 3\] can't be cut out of \[16, 3\]"),
        ({"stem.1": (8, 8)}, r"stem.1: \[8, 8\] can't be cut out of \[16\]"),
        ({"stem.0": (8, 3)}, "don't fit together"),
    ],
)
def test_channels_that_make_no_network_are_named(channels: dict[str, tuple[int, ...]], said: str) -> None:
    recipe = recipe_of("loupenet")
    wrong = recipe.model_copy(update={"arch": recipe.arch.model_copy(update={"channels": channels})})
    with pytest.raises(ConfigError, match=f"recipe toy: arch: channels: .*{said}"):
        build_network(wrong)
