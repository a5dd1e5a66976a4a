"""Architectures by name; every other file here is one of them, with `build(classes, **options)`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models import card

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Criterion = Callable[[Tensor, Tensor], Tensor]
    """Takes logits (N, classes, h, w) and the truth (N, H, W) uint8, with `IGNORE`; gives one number."""

Task = card.Task

NAMES = ("loupenet", "fcn", "unet", "deeplabv3plus", "centermask", "mask2former", "sam")


@dataclass(frozen=True, slots=True)
class Batch:
    """Training pictures with their truth."""

    pictures: Tensor  # (N, 3, H, W) float32, normalised RGB
    classes: Tensor  # (N, H, W) uint8, class indices, `IGNORE` where nobody knows
    objects: Tensor  # (N, H, W) int32, numbers of objects from 1, 0 where there is none


class SeenObject(NamedTuple):
    """One object that a network saw."""

    class_id: int
    score: float  # 0 to 1
    mask: NDArray[np.bool_]  # (h, w)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network saw on one picture, at the size of its own output."""

    classes: NDArray[np.uint8]  # (h, w)
    objects: tuple[SeenObject, ...] = ()  # none where the task is semantic; best first


class Part(NamedTuple):
    """What becomes one file on the device: all of a network, or a piece that runs at its own times."""

    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Network(nn.Module):
    """What training, export and scoring ask of a network; as it stands here, a semantic one with one output of logits.

    `forward` takes the tensors named in `inputs`, the first one pictures (N, 3, H, W) float32, normalised RGB, and
    gives those named in `outputs`, whose shapes depend on the input's shape alone.
    """

    task: ClassVar[Task] = "semantic"
    inputs: ClassVar[tuple[str, ...]] = ("picture",)
    outputs: ClassVar[tuple[str, ...]] = ("logits",)
    scoring: ClassVar[tuple[str, ...]] = ("head",)
    """Layers that the logits of a semantic network are proportional to, taken together."""

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Give inputs for one picture, for tracing."""
        return (torch.zeros(1, 3, height, width),)

    def parts(self, height: int, width: int) -> dict[str, Part]:
        """Give the files that the network becomes, by name; the one that is all of it has no name."""
        return {"": Part(self, self.example(height, width), self.inputs, self.outputs)}

    def training_loss(self, batch: Batch, criterion: Criterion) -> Tensor:
        """Compute the loss of one batch; `criterion` is the recipe's loss on logits per pixel."""
        return criterion(self(batch.pictures), batch.classes)

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> Seen:
        """Turn the outputs for one picture, each (1, …), into masks; the same for torch and for any runtime."""
        return Seen(outputs[0][0].argmax(axis=0).astype(np.uint8))


def build(name: str, classes: int, **options: float | str) -> Network:
    """Build architecture `name` for `classes` classes, the first one being the background.

    Raises:
        ValueError: `name` is not one of `NAMES`, or does not know an option.
    """
    if name not in NAMES:
        raise ValueError(f"architecture {name!r}: must be one of {', '.join(NAMES)}")
    try:
        network: Network = import_module(f"models.archs.{name}").build(classes, **options)
    except TypeError as error:
        raise ValueError(f"architecture {name!r}: {error}") from error
    return network
