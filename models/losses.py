"""Losses on soft targets: cross-entropy weighted by class, focal, Dice, IoU and Lovász-softmax, added up by weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from models.recipe import LossSpec


class SegmentationLoss(nn.Module):
    """The weighted sum of losses that a recipe asks for.

    Targets are class shares per output pixel: where a boundary crosses an output pixel the network learns the share,
    and the outline can be drawn finer than the output grid. `IGNORE` has no share and counts in no loss.
    """

    def __init__(self, weights: Tensor, spec: LossSpec) -> None:
        super().__init__()
        self.register_buffer("weights", weights.view(1, -1, 1, 1))
        self.weights: Tensor
        self.spec = spec

    def forward(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Compare logits (N, C, h, w) with the truth (N, H, W) uint8; give one number."""
        spec = self.spec
        with torch.autocast(logits.device.type, enabled=False):
            target = class_shares(classes, logits.shape[1], (logits.shape[2], logits.shape[3]))
            log_p = logits.float().log_softmax(dim=1)
            p = log_p.exp()
            terms = []
            if spec.cross_entropy:
                terms.append(spec.cross_entropy * cross_entropy(log_p, target * self.weights))
            if spec.dice:
                terms.append(spec.dice * dice(p, target, absent=spec.absent_classes))
            if spec.focal:
                terms.append(spec.focal * cross_entropy(log_p, target * self.weights, spec.focal_gamma))
            if spec.iou:
                terms.append(spec.iou * soft_iou(p, target, absent=spec.absent_classes))
            if spec.lovasz:
                terms.append(spec.lovasz * lovasz(p, target))
            return torch.stack(terms).sum()


def cross_entropy(log_p: Tensor, weighted: Tensor, gamma: float = 0.0) -> Tensor:
    """Average -log p over class shares times class weights; a `gamma` above 0 makes it focal.

    Focal loss is Lin et al., arXiv:1708.02002, equation 5, with the class weights as alpha.
    """
    hard = (1 - log_p.exp()).pow(gamma) * log_p if gamma else log_p
    return -(weighted * hard).sum() / weighted.sum().clamp_min(1e-6)


def dice(p: Tensor, target: Tensor, *, absent: bool = False) -> Tensor:
    """Average 1 - Dice over the classes in the batch, on shares pooled over it; Milletari et al., arXiv:1606.04797.

    With `absent` classes that the batch does not show count, too: the fewer pixels they are given, the better.
    """
    both, total, shown = _overlap(p, target)
    return _mean(1 - (2 * both + 1) / (total + 1), shown | absent)


def soft_iou(p: Tensor, target: Tensor, *, absent: bool = False) -> Tensor:
    """Average 1 - IoU over the classes in the batch, on shares pooled over it; Rahman and Wang, ISVC 2016."""
    both, total, shown = _overlap(p, target)
    return _mean(1 - (both + 1) / (total - both + 1), shown | absent)


def _overlap(p: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Add up per class what both have and what either has, where the truth is known; tell which are in the truth."""
    p = p * target.sum(dim=1, keepdim=True)
    truth = target.sum(dim=(0, 2, 3))
    return (p * target).sum(dim=(0, 2, 3)), (p + target).sum(dim=(0, 2, 3)), truth > 0


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    return (losses * counted).sum() / counted.sum().clamp_min(1)


def lovasz(p: Tensor, target: Tensor) -> Tensor:
    """Extend the IoU of the classes that are present; Berman et al., arXiv:1705.08790, algorithm 1, over the batch.

    The truth of an output pixel is the class with the largest share.
    """
    known = target.sum(dim=1).flatten() > 0
    labels = target.argmax(dim=1).flatten()[known]
    scores = p.movedim(1, -1).flatten(0, -2)[known]
    losses = []
    for place in set(labels.tolist()):
        inside = (labels == place).float()
        errors, order = (inside - scores[:, place]).abs().sort(descending=True)
        inside = inside[order]
        iou = (inside.sum() - inside.cumsum(0)) / (inside.sum() + (1 - inside).cumsum(0))
        steps = torch.diff(1 - iou, prepend=iou.new_zeros(1))
        losses.append(errors @ steps)
    return torch.stack(losses).mean() if losses else p.sum() * 0


def class_shares(classes: Tensor, count: int, size: tuple[int, int]) -> Tensor:
    """Turn (N, H, W) class indices into (N, count, h, w) shares of each class per output pixel.

    Shares add up to the part of the pixel that is known: `IGNORE` is no class.
    """
    places = torch.arange(count, device=classes.device, dtype=classes.dtype)
    one_hot = (classes[..., None] == places).permute(0, 3, 1, 2).float()
    return functional.adaptive_avg_pool2d(one_hot, size)
