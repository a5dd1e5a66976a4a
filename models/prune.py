"""Prune: take out of a trained network the channels it misses least, let it learn to do without them, and again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.utils.data import default_collate
from tqdm import tqdm

from edge.errors import ConfigError, ModelError
from models.checkpoint import Checkpoint
from models.cost import flops, layer_flops, times_s
from models.datasets import open_dataset
from models.derive import write_recipe
from models.learner import Lesson
from models.narrow import channel_counts
from models.recipe import DistilSpec
from models.sampling import Plan, draw_shares
from models.train import STATE, Options, train
from models.training_set import TrainingSet
from models.validation import read_validation, score, score_name, validate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.archs import Network
    from models.recipe import Recipe

BLOCK = 8
"""Channels are taken in blocks of this many: integer chips compute multiples of it at full speed."""

BATCHES = 16
"""Training batches that show which channels matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much is to be left, and how the rest learns."""

    keep: float  # share of the floating-point operations, 0 to 1
    epochs: int  # of fine-tuning, in each round
    rounds: int = 1
    teacher: Path | None = None  # a checkpoint that supervises the fine-tuning

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ConfigError(f"--keep {self.keep:g}: must be a share of the operations, above 0 and below 1")
        for name in ("epochs", "rounds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: must be at least 1")


def prune(start: Path, root: Path, out: Path, wanted: Wanted, device: str | None = None) -> Checkpoint:
    """Prune the network of the checkpoint `start` in rounds of equal factors, each followed by training on `root`.

    `out` receives what training writes, `pruned.pt`, which it started from, and `recipe.yaml`, with which it can be
    resumed or repeated; earlier rounds lie in folders of their own in it.

    Raises:
        ConfigError, DatasetError: as `train` does.
        ModelError: the network can't be pruned, or not that far.
    """
    checkpoint = Checkpoint.load(start)
    net, recipe = checkpoint.network(), _gentler(checkpoint.recipe, wanted)
    if net.task != "semantic":
        raise ModelError(f"{start}: its task is {net.task}: only semantic networks can be pruned: train one of those")
    if (out / STATE).exists():
        raise ConfigError(
            f"{out}: an unfinished run lies here: end it with `edgeloupe train --resume`, or choose another"
        )
    training = TrainingSet(open_dataset(root).sound().part("train"), recipe)
    full = flops(net, recipe.input)
    for number in range(1, wanted.rounds + 1):
        folder = out if number == wanted.rounds else out / f"round-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        net = checkpoint.network()
        try:
            thin_out(net, recipe, training, full * wanted.keep ** (number / wanted.rounds))
        except ModelError as error:
            raise ModelError(f"{start}: {error}") from error
        arch = recipe.arch.model_copy(update={"channels": channel_counts(net)})
        narrower = recipe.model_copy(update={"arch": arch})
        write_recipe(narrower, folder / "recipe.yaml")
        Checkpoint(narrower, net.state_dict(), 0, 0.0).save(folder / "pruned.pt")
        checkpoint = train(narrower, root, folder, Options(device=device, start=folder / "pruned.pt"))
    return checkpoint


def _gentler(recipe: Recipe, wanted: Wanted) -> Recipe:
    """Turn the recipe of training into that of fine-tuning."""
    return recipe.model_copy(
        update={
            "distil": DistilSpec(teacher=wanted.teacher) if wanted.teacher else recipe.distil,
            "train": recipe.train.fine_tuning(wanted.epochs),
        }
    )


def thin_out(net: Network, recipe: Recipe, training: TrainingSet, most_flops: float) -> None:
    """Take blocks of channels out of `net`, those first that change the loss least for the operations they cost.

    The change is estimated by the first-order Taylor expansion of Molchanov et al., "Importance Estimation for Neural
    Network Pruning" (arXiv:1906.10771); which layers share channels, by Fang et al., "DepGraph" (arXiv:2301.12900).

    Raises:
        ConfigError: torch-pruning is not installed.
        ModelError: there are not enough channels to take.
    """
    try:
        import torch_pruning  # noqa: PLC0415 - nothing else needs it
    except ImportError as error:
        raise ConfigError("prune needs the package torch-pruning: pip install 'edgeloupe[prune]'") from error

    _feel(net, recipe, training)
    graph = torch_pruning.DependencyGraph().build_dependency(net, net.example(recipe.input.height, recipe.input.width))
    importance = torch_pruning.importance.GroupTaylorImportance(group_reduction="sum", normalizer=None)
    uses = {layer: cost / layer.weight.numel() for layer, cost in layer_flops(net, recipe.input).items()}
    full = left = _total(uses)
    stale, blocks = _roots(net, graph), dict[_ConvNd, _Block]()
    with tqdm(total=round(full - most_flops), desc="pruning", unit="FLOP", unit_scale=True, disable=None) as bar:
        while left > most_flops:
            blocks |= {root: block for root in stale if (block := _least(_group(graph, root), importance, uses))}
            if not blocks:
                raise ModelError(f"can't be pruned below {left / full:.0%} of its operations: keep more")
            least = min(blocks.values(), key=lambda block: block.loss / block.saved)
            least.group.prune(least.channels)
            stale = [root for root, block in blocks.items() if block.layers & least.layers]
            blocks = {root: block for root, block in blocks.items() if root not in stale}
            before, left = left, _total(uses)
            bar.update(before - left)
    net.zero_grad()


def _feel(net: Network, recipe: Recipe, training: TrainingSet) -> None:
    """Leave in each weight's gradient how far the loss of a batch leans on it, either way, added up over batches."""
    lesson = Lesson(net, recipe.model_copy(update={"distil": None}))  # the truth decides
    plan = Plan(
        shares=draw_shares(training.presence, recipe.sampling.balance),
        seed=recipe.train.seed,
        epochs=BATCHES,
        batch=recipe.train.batch,
    )
    felt = {name: torch.zeros_like(weight) for name, weight in net.named_parameters()}
    for visits in tqdm(islice(plan, BATCHES), total=BATCHES, desc="what matters", unit="batch", disable=None):
        net.zero_grad()
        lesson(*default_collate([training[visit] for visit in visits])).backward()
        for name, weight in net.named_parameters():
            if weight.grad is not None:
                felt[name] += weight.grad.abs()
    for name, weight in net.named_parameters():
        weight.grad = felt[name]


class _Block(NamedTuple):
    """Channels that several layers share, and what they are worth."""

    group: Any  # torch-pruning's
    channels: list[int]
    layers: frozenset[_ConvNd]
    loss: float
    saved: float  # floating-point operations


def _roots(net: Network, graph: Any) -> list[_ConvNd]:
    """Give one layer of each group that must lose channels together; the network's output is left out."""
    roots, seen = [], set[nn.Module]()
    for layer in net.modules():
        if isinstance(layer, _ConvNd) and layer.groups == 1 and layer not in seen:
            makers = [step.target for step, _ in _group(graph, layer) if graph.is_out_channel_pruning_fn(step.handler)]
            seen.update(node.module for node in makers)
            if all(node.outputs for node in makers):
                roots.append(layer)
    return roots


def _group(graph: Any, root: _ConvNd) -> Any:
    """Give all channels of `root`, with the layers that must lose them together."""
    way = graph.get_pruner_of_module(root).prune_out_channels
    return graph.get_pruning_group(root, way, list(range(root.out_channels)))


def _least(group: Any, importance: Any, uses: Mapping[_ConvNd, float]) -> _Block | None:
    """Find the block of channels that matters least; None where all must stay."""
    count = len(group[0].idxs)
    size = count % BLOCK or BLOCK
    if count - size < BLOCK:
        return None
    scores, order = importance(group).sort()
    layers = [(step.layer, "in_channels" in step.handler.__name__) for step, _ in group if step.layer in uses]
    per_channel = sum(
        uses[layer] * layer.weight.numel() / (layer.in_channels if takes else layer.out_channels)
        for layer, takes in layers
    )
    return _Block(
        group,
        order[:size].tolist(),
        frozenset(layer for layer, _ in layers),
        float(scores[:size].sum()),
        size * per_channel,
    )


def _total(uses: Mapping[_ConvNd, float]) -> float:
    """Add up the operations, given how often each layer uses each of its weights, whose count pruning lowers."""
    return sum(times * layer.weight.numel() for layer, times in uses.items())


def compare(before: Checkpoint, after: Checkpoint, root: Path) -> list[tuple[str, ...]]:
    """Tabulate what pruning cost and brought: rows of a name, the value before, after, and their ratio or difference.

    IoU is that on the `val` split of `root`.
    """
    recipe, nets = after.recipe, [one.network() for one in (before, after)]
    parameters = [sum(weight.numel() for weight in net.parameters()) for net in nets]
    gflop = [flops(net, recipe.input) / 1e9 for net in nets]
    views = read_validation(open_dataset(root).sound().part("val"), recipe)
    ious = [100 * score(validate(net, views, recipe), recipe) for net in nets]
    times = times_s(nets, recipe.input)
    slower = f"{times[1] / times[0]:.2f}"
    return [
        ("parameters", *(f"{n:,}" for n in parameters), f"{parameters[1] / parameters[0]:.2f}"),
        ("GFLOP", *(f"{n:.3g}" for n in gflop), f"{gflop[1] / gflop[0]:.2f}"),
        ("time per picture", "1", slower, slower),
        (f"val IoU {score_name(recipe)}", *(f"{iou:.1f} %" for iou in ious), f"{ious[1] - ious[0]:+.1f} points"),
    ]
