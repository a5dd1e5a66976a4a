"""Schedule: up in a line, down as a cosine; vectors don't decay."""

from __future__ import annotations

import pytest
import torch

from models.recipe import TrainSpec
from models.schedule import adamw, cosine

SPEC = TrainSpec(epochs=10, warmup_epochs=2, learning_rate=0.1)


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    optimiser = adamw(torch.nn.Linear(2, 2), SPEC)
    schedule = cosine(optimiser, SPEC, steps=5)
    rates = []
    for _ in range(50):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert rates[:3] == pytest.approx([0.01, 0.02, 0.03])
    assert max(rates) == rates[9]
    assert rates[25] == pytest.approx(0.05)
    assert schedule.get_last_lr()[0] == pytest.approx(0)


def test_only_matrices_decay_and_frozen_weights_stay_out() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
    net[1].requires_grad_(requires_grad=False)
    matrices, vectors = adamw(net, SPEC).param_groups
    assert [p.shape for p in matrices["params"]] == [(3, 2)]
    assert [p.shape for p in vectors["params"]] == [(3,)]
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.01, 0.0)
