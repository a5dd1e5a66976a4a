"""Losses: as their papers write them, small where prediction and truth agree, blind to what nobody knows."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.annotation import IGNORE
from models.losses import SegmentationLoss, class_shares, cross_entropy, dice, lovasz, soft_iou
from models.recipe import LossSpec

EACH = ("cross_entropy", "dice", "focal", "iou", "lovasz")


def only(name: str, weight: float = 1.0) -> LossSpec:
    return LossSpec.model_validate(dict.fromkeys(EACH, 0.0) | {name: weight})


def loss_of(spec: LossSpec, logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    value: torch.Tensor = SegmentationLoss(torch.ones(logits.shape[1]), spec)(logits, classes)
    return value


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, 3, 4, 4) and hard classes of the same size."""
    torch.manual_seed(1)
    return torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4), dtype=torch.uint8)


def test_shares_are_averages_of_one_hot_classes() -> None:
    shares = class_shares(torch.tensor([[[0, 0], [0, 1]]], dtype=torch.uint8), 2, (1, 1))
    assert shares.flatten().tolist() == [0.75, 0.25]


def test_what_nobody_knows_has_no_share() -> None:
    shares = class_shares(torch.tensor([[[0, IGNORE], [IGNORE, 1]]], dtype=torch.uint8), 2, (1, 1))
    assert shares.flatten().tolist() == [0.25, 0.25]


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.5, 2.0, 3.0]])
def test_cross_entropy_is_torchs_on_hard_targets(
    scene: tuple[torch.Tensor, torch.Tensor], weights: list[float]
) -> None:
    logits, classes = scene
    classes[0, :2] = IGNORE
    ours = SegmentationLoss(torch.tensor(weights), only("cross_entropy"))(logits, classes)
    theirs = functional.cross_entropy(logits, classes.long(), torch.tensor(weights), ignore_index=IGNORE)
    assert torch.allclose(ours, theirs)


def test_focal_loss_without_focus_is_cross_entropy(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    spec = only("focal").model_copy(update={"focal_gamma": 0.0})
    assert torch.allclose(loss_of(spec, *scene), loss_of(only("cross_entropy"), *scene))


def test_focal_loss_weighs_each_pixel_by_what_it_lacks() -> None:
    p = torch.tensor([0.9, 0.6]).view(1, 1, 1, 2)
    log_p = torch.cat([1 - p, p], dim=1).log()
    target = class_shares(torch.ones(1, 1, 2, dtype=torch.uint8), 2, (1, 2))
    expected = -(0.1**2 * p.flatten()[0].log() + 0.4**2 * p.flatten()[1].log()) / 2
    assert torch.allclose(cross_entropy(log_p, target, 2.0), expected)


def test_dice_and_iou_count_shares() -> None:
    p = torch.tensor([[0.8, 0.4], [0.2, 0.6]]).view(1, 2, 1, 2)  # two classes, two pixels
    target = class_shares(torch.tensor([[[0, 1]]], dtype=torch.uint8), 2, (1, 2))
    # class 0: both 0.8, p 1.2, truth 1; class 1: both 0.6, p 0.8, truth 1; each with 1 added above and below
    assert float(dice(p, target)) == pytest.approx(1 - ((2 * 0.8 + 1) / 3.2 + (2 * 0.6 + 1) / 2.8) / 2)
    assert float(soft_iou(p, target)) == pytest.approx(1 - (1.8 / (2.2 - 0.8 + 1) + 1.6 / (1.8 - 0.6 + 1)) / 2)


def test_a_class_that_is_not_there_counts_only_where_it_is_asked_for() -> None:
    target = class_shares(torch.zeros(1, 4, 4, dtype=torch.uint8), 2, (4, 4))
    p = torch.full((1, 2, 4, 4), 0.5)
    for loss in (dice, soft_iou):
        assert float(loss(p, target, absent=True)) > float(loss(p, target))


def test_lovasz_is_one_minus_iou_at_hard_predictions() -> None:
    truth = torch.tensor([[[0, 0, 1, 1, 1, 2]]], dtype=torch.uint8)
    said = torch.tensor([[[0, 1, 1, 1, 0, 2]]], dtype=torch.uint8)
    p, target = (class_shares(classes, 3, (1, 6)) for classes in (said, truth))
    assert float(lovasz(p, target)) == pytest.approx(1 - (1 / 3 + 2 / 4 + 1) / 3)


def test_lovasz_is_its_papers_sum_over_sorted_errors() -> None:
    p = torch.tensor([0.7, 0.2, 0.6, 0.1])  # of the class; the truth is 1, 1, 0, 0
    # errors, sorted: 0.8 (a true one), 0.6 (a false one), 0.3 (a true one), 0.1; IoU of what is right so far
    wrong = [1 - 1 / 2, 1 - 1 / 3, 1 - 0 / 3, 1 - 0 / 4]
    expected = 0.8 * wrong[0] + 0.6 * (wrong[1] - wrong[0]) + 0.3 * (wrong[2] - wrong[1]) + 0.1 * (wrong[3] - wrong[2])
    scores = torch.stack([torch.ones(4) - p, p]).view(1, 2, 1, 4)
    target = class_shares(torch.tensor([[[1, 1, 0, 0]]], dtype=torch.uint8), 2, (1, 4))
    both = float(lovasz(scores, target))  # class 0 has errors 0.7, 0.2, 0.6, 0.1 read from the other side
    errors = sorted([(0.3, 0), (0.8, 0), (0.6, 1), (0.1, 1)], reverse=True)
    background, right, union = 0.0, 2, 2
    before = 0.0
    for error, is_background in errors:
        right, union = right - is_background, union + (1 - is_background)
        background, before = background + error * (1 - right / union - before), 1 - right / union
    assert both == pytest.approx((expected + background) / 2)


@pytest.mark.parametrize("name", EACH)
def test_what_nobody_knows_changes_no_loss(scene: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    logits, classes = scene
    classes[1, 2:] = IGNORE
    other = logits.clone()
    other[1, :, 2:] = 10 * torch.randn(3, 2, 4)
    assert torch.allclose(loss_of(only(name), logits, classes), loss_of(only(name), other, classes))


@pytest.mark.parametrize("name", EACH)
def test_nothing_known_is_no_loss(name: str) -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    value = loss_of(only(name), logits, torch.full((1, 4, 4), IGNORE, dtype=torch.uint8))
    value.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("name", EACH)
def test_a_better_prediction_has_a_smaller_loss(scene: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    _, classes = scene
    right = class_shares(classes, 3, (4, 4))
    losses = [float(loss_of(only(name), scale * right, classes)) for scale in (0.0, 2.0, 8.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05


def test_losses_are_added_up_by_weight(scene: tuple[torch.Tensor, torch.Tensor]) -> None:
    spec = LossSpec(cross_entropy=0.5, dice=2.0, lovasz=1.0)
    parts = (0.5, "cross_entropy"), (2.0, "dice"), (1.0, "lovasz")
    expected = sum(weight * float(loss_of(only(name), *scene)) for weight, name in parts)
    assert float(loss_of(spec, *scene)) == pytest.approx(expected, rel=1e-5)


def test_dice_sees_a_rare_class_that_is_missed() -> None:
    classes = torch.zeros(1, 32, 32, dtype=torch.uint8)
    classes[0, 4:6, 4:6] = 1
    found, missed = (10 * class_shares(c, 2, (32, 32)) for c in (classes, classes * 0))
    assert loss_of(only("dice"), missed, classes) - loss_of(only("dice"), found, classes) > 0.3


def test_a_heavier_class_pulls_harder() -> None:
    logits = torch.zeros(1, 2, 1, 2, requires_grad=True)
    loss = SegmentationLoss(torch.tensor([1.0, 3.0]), only("cross_entropy"))
    loss(logits, torch.tensor([[[0, 1]]], dtype=torch.uint8)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1, 0, 1].abs() == pytest.approx(3 * float(logits.grad[0, 0, 0, 0].abs()))
