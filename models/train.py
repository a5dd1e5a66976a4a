"""Train a segmentation network from a recipe: seeded, with progress, validated, the best weights kept."""

from __future__ import annotations

import contextlib
import csv
import math
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from edge.frame import read_picture
from edge.prepare import halve, prepare
from models import archs
from models.augment import augment
from models.datasets import read_split
from models.losses import SegmentationLoss, class_shares
from models.metrics import Confusion
from models.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.datasets import Sample

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Trained weights and the recipe they came from."""

    recipe: Recipe
    weights: dict[str, Tensor]
    epoch: int
    score: float  # IoU of the recipe's score class on the validation split

    def save(self, path: Path) -> None:
        """Write to `path`, whole or not at all."""
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "recipe": self.recipe.model_dump(mode="json"),
                "weights": self.weights,
                "epoch": self.epoch,
                "score": self.score,
            },
            partial,
        )
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; only tensors and plain values are unpickled."""
        data = torch.load(path, weights_only=True, map_location="cpu")
        return cls(Recipe.model_validate(data["recipe"]), data["weights"], data["epoch"], data["score"])

    def network(self) -> nn.Module:
        """Build the network with these weights, in evaluation mode."""
        net = archs.build(self.recipe.arch.name, len(self.recipe.classes), width=self.recipe.arch.width)
        net.load_state_dict(self.weights)
        return net.eval()


class _TrainingSet(Dataset[Pair]):
    """Pictures held in memory, halved towards the network's size, bent anew on every visit."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        self.recipe = recipe
        self.epoch = 0
        size = (recipe.input.width, recipe.input.height)
        self.items: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        for sample in tqdm(samples, desc="reading pictures", unit="picture", disable=None):
            picture = halve(read_picture(sample.picture), *size)
            classes = sample.class_map(recipe.classes)
            step = classes.shape[0] // picture.shape[0]
            self.items.append((picture, np.ascontiguousarray(classes[step // 2 :: step, step // 2 :: step])))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Pair:
        spec = self.recipe
        rng = np.random.default_rng([spec.train.seed, self.epoch, index])
        picture, classes = augment(*self.items[index], (spec.input.width, spec.input.height), spec.augment, rng)
        return torch.from_numpy(picture), torch.from_numpy(classes)


class _ValidationSet(Dataset[Pair]):
    """Pictures as the device would see them."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        width, height = recipe.input.width, recipe.input.height
        self.items = []
        for sample in samples:
            classes = sample.class_map(recipe.classes)
            rows = (np.arange(height) + 0.5) * classes.shape[0] / height
            columns = (np.arange(width) + 0.5) * classes.shape[1] / width
            truth = classes[rows.astype(int)][:, columns.astype(int)]
            picture = prepare(read_picture(sample.picture), width, height)
            self.items.append((torch.from_numpy(picture), torch.from_numpy(truth)))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Pair:
        return self.items[index]


@dataclass(slots=True)
class Average:
    """Exponential moving average of the weights: what is validated, saved and exported."""

    decay: float
    weights: dict[str, Tensor] = field(default_factory=dict)
    updates: int = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move the average one step towards the present weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        for name, value in net.state_dict().items():
            if name not in self.weights or not value.dtype.is_floating_point:
                self.weights[name] = value.detach().clone()
            else:
                self.weights[name].lerp_(value.detach(), 1 - decay)


def train(recipe: Recipe, root: Path, out: Path) -> Checkpoint:
    """Train on the `train` split of the data set in `root`, choose by its `val` split; `test` is never read.

    Writes `best.pt`, `last.pt` and `history.csv` into `out`.

    Raises:
        DatasetError: the data set can't be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _signals_restored():
        return _train(recipe, root, out)


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    """Put back the handler for ended children: torch's loader leaves its own, which outlives the loader."""
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, before)


def _train(recipe: Recipe, root: Path, out: Path) -> Checkpoint:
    spec = recipe.train
    torch.manual_seed(spec.seed)
    training = _TrainingSet(read_split(root, "train"), recipe)
    validation = _ValidationSet(read_split(root, "val"), recipe)
    net = archs.build(recipe.arch.name, len(recipe.classes), width=recipe.arch.width)
    _channels_last(net)
    loss = SegmentationLoss(torch.tensor([c.weight for c in recipe.classes]), spec.dice)
    steps = math.ceil(len(training) / spec.batch)
    optimiser, schedule = _optimiser(net, recipe, steps)
    average = Average(spec.ema)
    best = Checkpoint(recipe, {}, 0, -1.0)
    with (out / "history.csv").open("w", newline="", encoding="utf-8") as file:
        history = csv.writer(file)
        history.writerow(["epoch", "loss", "learning_rate", *(f"val_iou_{c.name}" for c in recipe.classes)])
        for epoch in range(1, spec.epochs + 1):
            training.epoch = epoch
            generator = torch.Generator().manual_seed(spec.seed * 100_003 + epoch)
            batches = DataLoader(training, spec.batch, shuffle=True, num_workers=1, generator=generator)
            progress = tqdm(batches, desc=f"epoch {epoch}/{spec.epochs}", unit="batch", disable=None, leave=False)
            mean_loss = _epoch(net, progress, loss, optimiser, schedule, average, recipe)
            if epoch % spec.validate_every and epoch != spec.epochs:
                continue
            now, ious = _validate(average, validation, recipe, epoch)
            history.writerow(
                [epoch, f"{mean_loss:.5f}", f"{schedule.get_last_lr()[0]:.6f}", *(f"{v:.5f}" for v in ious)]
            )
            file.flush()
            now.save(out / "last.pt")
            if now.score >= best.score:
                best = now
                best.save(out / "best.pt")
            tqdm.write(f"epoch {epoch:4d}  loss {mean_loss:.4f}  val IoU {recipe.score_class} {now.score:.4f}")
    return best


def _optimiser(
    net: nn.Module, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """AdamW, weight decay on matrices only, linear warm-up, cosine to zero."""
    spec = recipe.train
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": spec.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=spec.learning_rate,
    )
    warmup, total = spec.warmup_epochs * steps, spec.epochs * steps

    def factor(step: int) -> float:
        return min((step + 1) / max(warmup, 1), 0.5 * (1 + math.cos(math.pi * step / total)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _epoch(
    net: nn.Module,
    batches: Iterable[Pair],
    loss: SegmentationLoss,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    average: Average,
    recipe: Recipe,
) -> float:
    net.train()
    losses = []
    for pictures, classes in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.train.precision == "bfloat16"):
            logits = net(normalise(pictures, recipe))
        size = (logits.shape[2], logits.shape[3])
        value: Tensor = loss(logits, class_shares(classes, len(recipe.classes), size))
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update(net)
        losses.append(value.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def _validate(average: Average, data: _ValidationSet, recipe: Recipe, epoch: int) -> tuple[Checkpoint, list[float]]:
    weights = {name: value.clone() for name, value in average.weights.items()}
    net = _channels_last(Checkpoint(recipe, weights, epoch, 0.0).network())
    confusion = Confusion(len(recipe.classes))
    for picture, truth in (data[index] for index in range(len(data))):
        logits = net(normalise(picture[None], recipe))
        full = functional.interpolate(logits, truth.shape, mode="bilinear", align_corners=False)
        confusion.add(full.argmax(dim=1)[0].numpy().astype(np.uint8), truth.numpy())
    ious = confusion.iou()
    score = ious[[c.name for c in recipe.classes].index(recipe.score_class)]
    return Checkpoint(recipe, weights, epoch, score), ious


def _channels_last(net: nn.Module) -> nn.Module:
    """Lay the weights out as the CPU's convolutions like them."""
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # not in its stubs


def normalise(pictures: Tensor, recipe: Recipe) -> Tensor:
    """Turn (N, H, W, 3) uint8 BGR into the network's (N, 3, H, W) float32 RGB, zero mean, unit spread."""
    rgb = pictures.flip(-1).permute(0, 3, 1, 2).float()
    mean = torch.tensor(recipe.input.mean).view(1, 3, 1, 1)
    std = torch.tensor(recipe.input.std).view(1, 3, 1, 1)
    return ((rgb - mean) / std).contiguous(memory_format=torch.channels_last)
