"""Schedule: the optimiser, and how its learning rate rises and falls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from models.recipe import TrainSpec


def adamw(net: nn.Module, spec: TrainSpec) -> torch.optim.AdamW:
    """Build AdamW with weight decay on matrices only; frozen weights are left out."""
    learned = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=spec.learning_rate)


def cosine(optimiser: torch.optim.Optimizer, spec: TrainSpec, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the learning rate rise in a line, then fall to zero as a cosine, over epochs of `steps` steps."""
    warmup, total = spec.warmup_epochs * steps, spec.epochs * steps

    def factor(step: int) -> float:
        return min((step + 1) / max(warmup, 1), 0.5 * (1 + math.cos(math.pi * step / total)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
