"""Training set: pictures held in memory and bent anew on every visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from edge.region import Box
from models.annotation import IGNORE
from models.augment import augment
from models.borders import draw_borders
from models.copy_paste import cut_out, paste
from models.example import Example, read_example, spots
from models.sampling import Stock, Visit, cut_anywhere, cut_around
from models.synthetic_defects import spoil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from models.recipe import Recipe
    from models.sample import Sample

HELD_BYTES = 6 << 30
"""Pictures that need more memory than this are read again on every visit."""

MOST_PASTED = 3
"""Objects pasted onto one picture."""


class Tensors(NamedTuple):
    """One training picture, or a batch of them."""

    pictures: Tensor  # (H, W, 3) uint8 BGR
    classes: Tensor  # (H, W) uint8, with `IGNORE`
    objects: Tensor  # (H, W) int32


class TrainingSet(Dataset[Tensors]):
    """Pictures halved towards the network's size; asked by visit, not by index."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        self._samples, self._recipe = samples, recipe
        self._held: list[Example | None] = []
        self.presence: list[frozenset[int]] = []  # the classes on each picture, without the first
        found, left_bytes = [], HELD_BYTES
        for sample in tqdm(samples, desc="reading pictures", unit="picture", disable=None):
            example = read_example(sample, recipe)
            left_bytes -= sum(plane.nbytes for plane in example)
            self._held.append(example if left_bytes >= 0 else None)
            found.append(spots(example))
            self.presence.append(frozenset(np.unique(example.classes).tolist()) - {0, IGNORE})
        self._stock = Stock(found)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, visit: Visit) -> Tensors:
        recipe, rng = self._recipe, visit.rng(self._recipe.train.seed)
        example, view = self._view(visit.picture, rng)
        if self._stock and recipe.sampling.copy_paste and rng.random() < recipe.sampling.copy_paste:
            example = self._crowded(example, view, rng)
        if recipe.sampling.synthetic and rng.random() < recipe.sampling.synthetic:
            donor = self._example(int(rng.integers(len(self)))).picture
            example = spoil(example, donor, recipe.score_id, rng)
        size = recipe.sampling.window or (recipe.input.width, recipe.input.height)
        picture, classes, objects = augment(example, size, recipe.augment, rng, view)
        classes = draw_borders(classes, objects, recipe.classes)
        return Tensors(*map(torch.from_numpy, (picture, classes, objects.astype(np.int32))))

    def _example(self, index: int) -> Example:
        return self._held[index] or read_example(self._samples[index], self._recipe)

    def _view(self, index: int, rng: Generator) -> tuple[Example, Box]:
        """Give the picture, or a cut around an object of another one; with a window, a cut in any case."""
        spec, full = self._recipe.sampling, self._recipe.input
        shares = (spec.window[0] / full.width, spec.window[1] / full.height) if spec.window else None
        if self._stock and spec.defect_crop and rng.random() < spec.defect_crop:
            index, spot = self._stock.pick(rng)
            example, side = self._example(index), rng.uniform(*spec.crop)
            return example, cut_around(example, spot, shares or (side, side), rng)
        example = self._example(index)
        if shares:
            return example, cut_anywhere(example, shares, rng)
        height, width = example.classes.shape
        return example, Box(0, 0, width, height)

    def _crowded(self, example: Example, view: Box, rng: Generator) -> Example:
        """Paste a few objects of other pictures."""
        for _ in range(rng.integers(1, MOST_PASTED + 1)):
            index, spot = self._stock.pick(rng)
            patch = cut_out(self._example(index), spot, self._recipe.augment, rng)
            example = (patch and paste(example, patch, view, rng)) or example
        return example
