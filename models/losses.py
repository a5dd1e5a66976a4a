"""Losses on soft targets: cross-entropy weighted by class, and Dice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import torch


class SegmentationLoss(nn.Module):
    """Weighted cross-entropy plus `dice` times (1 - Dice).

    Targets are class shares per output pixel, (N, C, h, w): where a boundary crosses an output pixel the network
    learns the share, and the outline can be drawn finer than the output grid.
    """

    def __init__(self, weights: torch.Tensor, dice: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights.view(1, -1, 1, 1))
        self.weights: Tensor
        self.dice = dice

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = logits.float()
        log_p = logits.log_softmax(dim=1)
        weighted = target * self.weights
        entropy = -(weighted * log_p).sum() / weighted.sum()
        p = log_p.exp()
        both = (p * target).sum(dim=(0, 2, 3))
        total = (p + target).sum(dim=(0, 2, 3))
        dice = 1 - (2 * both + 1) / (total + 1)
        return entropy + self.dice * dice.mean()


def class_shares(classes: Tensor, count: int, size: tuple[int, int]) -> Tensor:
    """Turn (N, H, W) class indices into (N, count, h, w) shares of each class per output pixel."""
    one_hot = functional.one_hot(classes.long(), count).permute(0, 3, 1, 2).float()
    return functional.adaptive_avg_pool2d(one_hot, size)
