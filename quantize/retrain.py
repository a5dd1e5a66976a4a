"""Retrain: a network learns to bear the rounding of INT8, where rounding it afterwards loses too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ModelError
from models.checkpoint import Checkpoint
from models.export import export
from models.train import STATE, Options, train

if TYPE_CHECKING:
    from pathlib import Path

    from models.card import ModelCard


BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """A network that was trained on under rounding."""

    model: Path  # plain float ONNX
    before: float  # the checkpoint's score on the validation split, in float
    after: float  # likewise, rounded

    @property
    def lost_points(self) -> float:
        """What rounding costs after all, in points of the score."""
        return 100 * (self.before - self.after)


def retrain(start: Path, card: ModelCard, root: Path, out: Path, epochs: int) -> Retrained:
    """Train on under rounding, and keep the best epoch; a run that was stopped in `out` goes on.

    Args:
        start: the checkpoint that the network to be retrained was exported from.
        card: of that network.
        root: the data set, with splits.
        out: gets what `edgeloupe train` writes.
        epochs: to train on for.

    Raises:
        ModelError: the checkpoint is another network's.
        ConfigError, DatasetError: as `models.train.train` does.
    """
    held = Checkpoint.load(start)
    if [c.name for c in held.recipe.classes] != list(card.class_names) or held.recipe.name != card.name:
        raise ModelError(f"{start}: is not {card.name}: give the checkpoint that the network was exported from")
    spec = held.recipe.train.fine_tuning(epochs).model_copy(update={"quantisation_bits": BITS})
    recipe = held.recipe.model_copy(update={"train": spec})
    best = train(recipe, root, out, Options(start=start, resume=(out / STATE).exists()))
    (model,) = export(best, out / "best.onnx")
    return Retrained(model=model, before=held.score, after=best.score)
