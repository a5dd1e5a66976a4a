"""Teach: a few steps on one batch, for networks some of whose weights are frozen on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from models.archs import Batch, Network
    from models.losses import SegmentationLoss


def teach(net: Network, batch: Batch, criterion: SegmentationLoss) -> tuple[list[float], set[str]]:
    """Take three steps; give the loss of each and the names of the weights that got a gradient."""
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    taught, losses = set[str](), list[float]()
    for _ in range(3):
        loss = net.training_loss(batch, criterion)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        optimiser.step()
        losses.append(loss.item())
        taught |= {name for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    return losses, taught
