"""Validation: the pictures that choose the checkpoint, as the device would see them, and how they are scored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from edge.errors import DatasetError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from models.borders import draw_borders
from models.clicks import click_through
from models.metrics import Confusion
from models.normalise import normalise
from models.quantisation_aware import rounding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.archs import Network
    from models.example import U8
    from models.recipe import InputSpec, Recipe
    from models.sample import Sample


class View(NamedTuple):
    """A validation picture at the network's size."""

    name: str
    picture: U8  # (height, width, 3) BGR
    truth: U8  # (height, width), class indices with `IGNORE`


def read_validation(samples: Sequence[Sample], recipe: Recipe) -> list[View]:
    """Read the pictures that choose the checkpoint.

    Raises:
        DatasetError: a truth can't be used, or none shows what the score looks for.
    """
    width, height = recipe.input.width, recipe.input.height
    views = []
    for sample in tqdm(samples, desc="reading validation", unit="picture", disable=None):
        planes = sample.planes(recipe.classes)
        rows = ((np.arange(height) + 0.5) * planes.classes.shape[0] / height).astype(int)
        columns = ((np.arange(width) + 0.5) * planes.classes.shape[1] / width).astype(int)
        classes, objects = (plane[rows][:, columns] for plane in planes)
        truth = draw_borders(classes, objects, recipe.classes)
        views.append(View(sample.picture.name, prepare(read_picture(sample.picture), width, height), truth))
    places = wanted(recipe)
    if not any(np.isin(places, one.truth).any() for one in views):
        names = ", ".join(recipe.classes[place].name for place in places)
        raise DatasetError(f"no validation picture shows {names}, which picks the checkpoint: split the data anew")
    return views


def validate(net: Network, pictures: Sequence[View], recipe: Recipe) -> list[float]:
    """Give the IoU of each class over all pictures; NaN where a class is neither there nor seen."""
    confusion = Confusion(len(recipe.classes))
    with rounding(recipe.train.quantisation_bits):
        for one in pictures:
            confusion.add(seen(net, one, recipe.input), one.truth)
    return confusion.iou()


@torch.no_grad()
def seen(net: Network, one: View, spec: InputSpec) -> U8:
    """Give the class of each pixel, (height, width), as `net` sees it; a promptable one clicks on what is true."""
    picture = normalise(torch.from_numpy(one.picture)[None].to(next(net.parameters()).device), spec)
    if net.task == "promptable":
        return click_through(net, picture, one.truth)
    given: Tensor | tuple[Tensor, ...] = net(picture)
    if net.task == "semantic" and isinstance(given, torch.Tensor):
        full = functional.interpolate(given, one.truth.shape, mode="bilinear", align_corners=False)
        return full.argmax(dim=1)[0].cpu().numpy().astype(np.uint8)
    outputs = [given] if isinstance(given, torch.Tensor) else given
    coarse = torch.from_numpy(net.decode([value.cpu().numpy() for value in outputs]).classes)
    return functional.interpolate(coarse[None, None], one.truth.shape, mode="nearest-exact")[0, 0].numpy()


def score(ious: Sequence[float], recipe: Recipe) -> float:
    """Give the number that picks the checkpoint: IoU of the score class, or the mean over all classes but the first."""
    known = [ious[place] for place in wanted(recipe) if not math.isnan(ious[place])]
    return sum(known) / len(known)


def score_name(recipe: Recipe) -> str:
    """Say what `score` is the IoU of."""
    return recipe.score_class if recipe.score == "class" else "mean"


def wanted(recipe: Recipe) -> list[int]:
    """List the classes that the score looks for."""
    if recipe.score == "mean":
        return list(range(1, len(recipe.classes)))
    return [recipe.score_id]
