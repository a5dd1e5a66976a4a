"""Average: the exponential moving average of the weights, which is what is validated, saved and exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(slots=True)
class Average:
    """Weights that follow the trained ones slowly."""

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
