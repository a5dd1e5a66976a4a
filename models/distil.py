"""Distil: a trained network supervises another one, pixel by pixel, beside the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import ConfigError
from models.checkpoint import Checkpoint
from models.normalise import normalise

if TYPE_CHECKING:
    from models.archs import Criterion, Network
    from models.recipe import DistilSpec, Recipe


class Teacher(nn.Module):
    """A trained network that never changes, and how much it has to say."""

    def __init__(self, checkpoint: Checkpoint, spec: DistilSpec, weights: Tensor) -> None:
        super().__init__()
        self.net = checkpoint.network().requires_grad_(requires_grad=False)
        self.input, self.spec = checkpoint.recipe.input, spec
        self.register_buffer("weights", weights.view(1, -1, 1, 1))
        self.weights: Tensor

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Look at pictures (N, H, W, 3) uint8 BGR; give class probabilities (N, C, h, w) at the temperature."""
        logits: Tensor = self.net(normalise(pictures, self.input))
        return (logits.float() / self.spec.temperature).softmax(dim=1)

    def beside(self, criterion: Criterion, pictures: Tensor) -> Criterion:
        """Add to the loss of these pictures how far the student is from what this network sees on them."""
        taught = self(pictures)

        def both(logits: Tensor, classes: Tensor) -> Tensor:
            gap = divergence(logits, taught, self.spec.temperature, self.weights)
            return criterion(logits, classes) + self.spec.weight * gap

        return both


def open_teacher(recipe: Recipe, student: Network) -> Teacher | None:
    """Open the network that the recipe names as the student's teacher, where it names one.

    Raises:
        ConfigError: it knows other classes, or one of them is no semantic network.
        ModelError: its file can't be read.
    """
    spec = recipe.distil
    if spec is None:
        return None
    checkpoint = Checkpoint.load(spec.teacher)
    theirs, ours = ([c.name for c in one.classes] for one in (checkpoint.recipe, recipe))
    if theirs != ours:
        raise ConfigError(
            f"distil.teacher = {spec.teacher}: knows the classes {', '.join(theirs)}, not {', '.join(ours)}: "
            "train it with the classes of this recipe"
        )
    teacher = Teacher(checkpoint, spec, torch.tensor([c.weight for c in recipe.classes]))
    for who, net in (("teacher", teacher.net), ("student", student)):
        if net.task != "semantic":
            raise ConfigError(f"distil: the {who} has the task {net.task}: both must be semantic")
    return teacher


def divergence(logits: Tensor, taught: Tensor, temperature: float, weights: Tensor) -> Tensor:
    """Average the Kullback-Leibler divergence of softened classes over pixels; Hinton et al., arXiv:1503.02531.

    Pixels weigh as much as the classes that the teacher sees there, which leaves the teacher's answer the best one.

    Args:
        logits: of the student, (N, C, h, w).
        taught: probabilities of the teacher at `temperature`, (N, C, any height, any width).
        temperature: how far the classes are softened; its square keeps gradients as long as without it.
        weights: of the classes, (1, C, 1, 1).
    """
    with torch.autocast(logits.device.type, enabled=False):
        size = (logits.shape[2], logits.shape[3])
        taught = functional.interpolate(taught, size, mode="bilinear", align_corners=False, antialias=True)
        log_p = (logits.float() / temperature).log_softmax(dim=1)
        gap = functional.kl_div(log_p, taught, reduction="none").sum(dim=1, keepdim=True)
        importance = (taught * weights).sum(dim=1, keepdim=True)
        return temperature**2 * (importance * gap).sum() / importance.sum()
