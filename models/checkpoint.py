"""Checkpoint: trained weights and the recipe they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from edge.errors import ConfigError, ModelError
from models import archs
from models.card import Calibration
from models.narrow import narrow
from models.recipe import Recipe
from models.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from models.archs import Network


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Trained weights and the recipe they came from."""

    recipe: Recipe
    weights: dict[str, Tensor]
    epoch: int
    score: float  # on the validation split, as the recipe's `score` says
    calibration: Calibration | None = None  # none where the confidence is as training left it

    def save(self, path: Path) -> None:
        """Write to `path`, whole or not at all."""
        save_whole(
            {
                "recipe": self.recipe.model_dump(mode="json"),
                "weights": self.weights,
                "epoch": self.epoch,
                "score": self.score,
                "calibration": self.calibration and self.calibration.model_dump(),
            },
            path,
        )

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; only tensors and plain values are unpickled. Raises ModelError."""
        data = load_plain(path, "a .pt file that `edgeloupe train` wrote")
        try:
            told = data.get("calibration")
            return cls(
                Recipe.model_validate(data["recipe"]),
                data["weights"],
                data["epoch"],
                data["score"],
                told and Calibration.model_validate(told),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{path}: not a checkpoint of edgeloupe: give a .pt file that `edgeloupe train` wrote"
            ) from error

    def network(self) -> Network:
        """Build the network with these weights, in evaluation mode; those that training started from are not read."""
        spec = self.recipe.arch
        options = {name: value for name, value in spec.options.items() if name != "weights"}
        net = build_network(self.recipe.model_copy(update={"arch": spec.model_copy(update={"options": options})}))
        net.load_state_dict(self.weights)
        net.eval()
        return net


def build_network(recipe: Recipe) -> Network:
    """Build the network a recipe asks for, with fresh weights. Raises ConfigError."""
    spec = recipe.arch
    try:
        net = archs.build(spec.name, len(recipe.classes), width=spec.width, **spec.options)
        narrow(net, spec.channels)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"recipe {recipe.name}: arch: {error}") from error
    return net


def load_plain(path: Path, wanted: str) -> dict[str, Any]:
    """Read what `save_whole` wrote; `wanted` says in the errors what to give instead. Raises ModelError."""
    try:
        data = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}: give {wanted}") from error
    except (EOFError, KeyError, TypeError, ValueError, RuntimeError, UnpicklingError) as error:
        raise ModelError(f"{path}: not a file of edgeloupe's training: give {wanted}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path}: not a file of edgeloupe's training: give {wanted}")
    return data


def save_whole(values: dict[str, object], path: Path) -> None:
    """Write tensors and plain values to `path`, whole or not at all."""
    with whole_file(path) as partial:
        torch.save(values, partial)
