"""Losses: small where prediction and truth agree, blind to nothing."""

from __future__ import annotations

import pytest
import torch

from models.losses import SegmentationLoss, class_shares


def logits_of(shares: torch.Tensor) -> torch.Tensor:
    return (shares.clamp(1e-6, 1)).log()


def test_shares_are_averages_of_one_hot_classes() -> None:
    shares = class_shares(torch.tensor([[[0, 0], [0, 1]]]), 2, (1, 1))
    assert shares.flatten().tolist() == [0.75, 0.25]


def test_the_truth_itself_has_the_smallest_loss() -> None:
    torch.manual_seed(1)
    target = class_shares(torch.randint(0, 3, (2, 8, 8)), 3, (4, 4))
    loss = SegmentationLoss(torch.ones(3), dice=0.0)
    best = loss(logits_of(target), target)
    for _ in range(5):
        assert loss(logits_of(target) + torch.randn(2, 3, 4, 4), target) > best


def test_dice_sees_a_rare_class_that_is_missed() -> None:
    classes = torch.zeros(1, 32, 32, dtype=torch.long)
    classes[0, 4:6, 4:6] = 1
    target = class_shares(classes, 2, (32, 32))
    found, missed = logits_of(target), logits_of(class_shares(classes * 0, 2, (32, 32)))
    loss = SegmentationLoss(torch.ones(2), dice=1.0)
    plain = SegmentationLoss(torch.ones(2), dice=0.0)
    assert loss(missed, target) - plain(missed, target) > 0.3
    assert loss(found, target) - plain(found, target) == pytest.approx(0.0, abs=1e-3)


def test_a_heavier_class_pulls_harder() -> None:
    target = class_shares(torch.tensor([[[0, 1]]]), 2, (1, 2))
    logits = torch.zeros(1, 2, 1, 2, requires_grad=True)
    SegmentationLoss(torch.tensor([1.0, 3.0]), dice=0.0)(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1, 0, 1].abs() == pytest.approx(3 * float(logits.grad[0, 0, 0, 0].abs()))
