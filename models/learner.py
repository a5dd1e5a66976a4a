"""Learner: a network while it is trained, with its optimiser, its schedule and the average of its weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edge.errors import ModelError
from models.archs import Batch
from models.average import Average
from models.checkpoint import build_network
from models.distil import open_teacher
from models.layout import lay_out, training_layout
from models.losses import SegmentationLoss
from models.normalise import normalise
from models.quantisation_aware import keep_statistics, rounding
from models.schedule import adamw, cosine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.archs import Network
    from models.processes import Team
    from models.recipe import Recipe
    from models.training_set import Tensors

NOT_FINITE = "the loss is no longer a finite number: lower train.learning_rate, or train with more precision"

CLIP_NORM = 5.0
"""Longest gradient that is followed as it is."""


class Lesson(nn.Module):
    """From a batch of bytes to the loss: what several processes compute side by side."""

    def __init__(self, net: Network, recipe: Recipe, layout: torch.memory_format = torch.contiguous_format) -> None:
        super().__init__()
        self.net = net
        self.layout = layout
        self.input = recipe.input
        self.bits = recipe.train.quantisation_bits
        self.criterion = SegmentationLoss(torch.tensor([c.weight for c in recipe.classes]), recipe.loss)
        self.teacher = open_teacher(recipe, net)

    def forward(self, pictures: Tensor, classes: Tensor, objects: Tensor) -> Tensor:
        """Give the loss of the planes of `Tensors`, batched."""
        batch = Batch(normalise(pictures, self.input, self.layout), classes, objects)
        criterion = self.teacher.beside(self.criterion, pictures) if self.teacher else self.criterion
        with rounding(self.bits):
            return self.net.training_loss(batch, criterion)


class Learner:
    """A network that learns batch by batch."""

    def __init__(self, recipe: Recipe, steps: int, team: Team) -> None:
        spec = recipe.train
        torch.manual_seed(spec.seed)
        self.net = build_network(recipe)
        on_cuda = team.device.type == "cuda"
        if team.size > 1 and on_cuda:
            self.net = nn.SyncBatchNorm.convert_sync_batchnorm(self.net)  # type: ignore[no-untyped-call] # torch's
        layout = training_layout(self.net, team.device)
        self._spec, self._team = spec, team
        self._lesson: nn.Module = Lesson(lay_out(self.net, layout), recipe, layout).to(team.device)
        self._optimiser = adamw(self.net, spec)
        self._schedule = cosine(self._optimiser, spec, steps)
        self._scaler = torch.amp.GradScaler(team.device.type, enabled=on_cuda and spec.precision == "float16")
        self._average = Average(spec.ema)
        if team.size > 1:
            self._lesson = DistributedDataParallel(self._lesson, find_unused_parameters=self.net.task != "semantic")

    @property
    def learning_rate(self) -> float:
        """The present learning rate."""
        return float(self._schedule.get_last_lr()[0])

    @property
    def weights(self) -> dict[str, Tensor]:
        """A copy of the average weights, in the main memory."""
        return {name: value.to("cpu", copy=True) for name, value in self._average.weights.items()}

    def learn(self, batch: Tensors, step: int) -> float:
        """Take one step and give its loss.

        Raises:
            ModelError: the loss or its gradient is not finite, in which case no weight was changed; or the batch
                does not fit the memory or the network.
        """
        self.net.train()
        if self._spec.quantisation_bits:
            keep_statistics(self.net)
        torch.manual_seed(self._spec.seed * 1_000_003 + step * self._team.size + self._team.rank)
        try:
            value = self._loss(batch)
            self._optimiser.zero_grad()
            self._scaler.scale(value).backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        except torch.OutOfMemoryError as error:
            raise ModelError(f"a batch of {self._spec.batch} does not fit the memory: lower train.batch") from error
        self._scaler.unscale_(self._optimiser)
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), CLIP_NORM)
        loss = float(value.item())
        if not math.isfinite(loss) or not (self._scaler.is_enabled() or math.isfinite(float(norm))):
            raise ModelError(NOT_FINITE)
        self._update()
        return loss

    def _loss(self, batch: Tensors) -> Tensor:
        device = self._team.device
        half = torch.float16 if self._spec.precision == "float16" and device.type == "cuda" else torch.bfloat16
        with torch.autocast(device.type, half, enabled=self._spec.precision != "float32"):
            value: Tensor = self._lesson(*(plane.to(device, non_blocking=True) for plane in batch))
        return value

    def _update(self) -> None:
        scale = self._scaler.get_scale()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._scaler.get_scale() >= scale:  # a step that overflowed was left out
            self._schedule.step()
        self._average.update(self.net)

    def start_from(self, weights: Mapping[str, Tensor]) -> int:
        """Take over the weights whose names and shapes agree; say how many."""
        own = self.net.state_dict()
        fitting = {name: v for name, v in weights.items() if name in own and own[name].shape == v.shape}
        self.net.load_state_dict(fitting, strict=False)
        return len(fitting)

    def state(self) -> dict[str, Any]:
        """Give all that changes while it learns."""
        return {
            "weights": self.net.state_dict(),
            "average": self._average.weights,
            "updates": self._average.updates,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state` that was given."""
        self.net.load_state_dict(state["weights"])
        self._average.weights = {name: value.to(self._team.device) for name, value in state["average"].items()}
        self._average.updates = state["updates"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
