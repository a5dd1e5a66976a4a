"""Sampling: which picture is shown when, and where it is cut, so that rare and small defects are seen often enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from edge.region import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.example import Example, Spot


class Visit(NamedTuple):
    """One look at one picture; chance depends on nothing else."""

    epoch: int
    picture: int  # its place in the training set
    again: int  # looks at this picture earlier in the epoch

    def rng(self, seed: int) -> Generator:
        """Give this look its chance."""
        return np.random.default_rng([seed, self.epoch, self.picture] + [self.again] * bool(self.again))


def draw_shares(presence: Sequence[frozenset[int]], balance: float) -> NDArray[np.float64]:
    """Give each picture its share of the draws.

    Args:
        presence: the classes on each picture, without the first; pictures with none are a class of their own.
        balance: 0 treats pictures alike, 1 treats classes alike; in between both are mixed.
    """
    groups = [classes or frozenset({0}) for classes in presence]
    kinds = sorted(frozenset().union(*groups))
    counts = {kind: sum(kind in group for group in groups) for kind in kinds}
    by_class = np.array([sum(1 / counts[kind] for kind in group) for group in groups]) / len(kinds)
    return (1 - balance) / len(groups) + balance * by_class


def epoch_order(shares: NDArray[np.float64], seed: int, epoch: int) -> list[Visit]:
    """Order one epoch, as many visits as pictures: each picture as often as its share says, rounded by chance."""
    count = len(shares)
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    # A loader of torch draws the seed of its workers first: the order of epochs already published rests on it.
    torch.empty((), dtype=torch.int64).random_(generator=generator)
    order = torch.randperm(count, generator=generator).numpy()
    if np.ptp(shares):
        chance = np.random.default_rng([seed, epoch])
        marks = (np.arange(count) + chance.random()) / count
        drawn = order[np.minimum(np.searchsorted(np.cumsum(shares[order]), marks), count - 1)]
        order = chance.permutation(drawn)
    seen: dict[int, int] = {}
    visits = []
    for index in order.tolist():
        visits.append(Visit(epoch, index, seen.get(index, 0)))
        seen[index] = visits[-1].again + 1
    return visits


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The batches of a whole run, from any step on, for one of several processes that share each batch."""

    shares: NDArray[np.float64]
    seed: int
    epochs: int
    batch: int
    first_step: int = 0  # counted from the beginning of the run
    rank: int = 0
    processes: int = 1

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-len(self.shares) // self.batch)

    def __len__(self) -> int:
        return self.steps * self.epochs - self.first_step

    def __iter__(self) -> Iterator[list[Visit]]:
        first_epoch, first_batch = divmod(self.first_step, self.steps)
        for epoch in range(first_epoch, self.epochs):
            order = epoch_order(self.shares, self.seed, epoch + 1)
            size, longer = divmod(len(order), self.steps)  # nearly equal ones: no batch of a single leftover
            for place in range(first_batch if epoch == first_epoch else 0, self.steps):
                start = place * size + min(place, longer)
                visits = order[start : start + size + (place < longer)]
                visits += visits[: -len(visits) % self.processes]  # every process gets as many
                yield visits[self.rank :: self.processes]


class Stock:
    """The objects of all pictures, by class and picture."""

    def __init__(self, found: Sequence[Sequence[Spot]]) -> None:
        self._by_class: dict[int, dict[int, list[Spot]]] = {}
        for index, objects in enumerate(found):
            for spot in objects:
                self._by_class.setdefault(spot.class_id, {}).setdefault(index, []).append(spot)
        self._classes = sorted(self._by_class)

    def __bool__(self) -> bool:
        return bool(self._classes)

    def pick(self, rng: Generator) -> tuple[int, Spot]:
        """Draw a class, a picture that shows it, and one of its objects there; give the picture's index with it."""
        pictures = self._by_class[self._classes[rng.integers(len(self._classes))]]
        index = list(pictures)[rng.integers(len(pictures))]
        return index, pictures[index][rng.integers(len(pictures[index]))]


def cut_around(example: Example, spot: Spot, shares: tuple[float, float], rng: Generator) -> Box:
    """Draw a part of the picture, `shares` of its width and height, with a pixel of the object inside it."""
    x, y, w, h = spot.box
    inside = np.flatnonzero(example.objects[y : y + h, x : x + w] == spot.number)
    row, column = divmod(int(inside[rng.integers(len(inside))]), w)
    return _cut(example, (x + column, y + row), shares, rng.uniform(0.25, 0.75, 2))


def cut_anywhere(example: Example, shares: tuple[float, float], rng: Generator) -> Box:
    """Draw a part of the picture, `shares` of its width and height."""
    height, width = example.classes.shape
    return _cut(example, (rng.uniform(0, width), rng.uniform(0, height)), shares, np.array([0.5, 0.5]))


def _cut(example: Example, point: tuple[float, float], shares: tuple[float, float], place: NDArray[np.float64]) -> Box:
    """Cut so that `point` lies at `place` of the cut, moved where that would leave the picture."""
    height, width = example.classes.shape
    cut_w, cut_h = max(1, round(shares[0] * width)), max(1, round(shares[1] * height))
    left, top = point[0] - place[0] * cut_w, point[1] - place[1] * cut_h
    return Box(round(min(max(left, 0), width - cut_w)), round(min(max(top, 0), height - cut_h)), cut_w, cut_h)
