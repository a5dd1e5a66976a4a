"""LoupeNet: made of what integer chips compute, at the cost that its recipe states."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models import archs

EDGE_SAFE = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU6)


def test_it_is_made_of_operators_that_quantise_well() -> None:
    leaves = [module for module in archs.build("loupenet", 3).modules() if not list(module.children())]
    assert all(isinstance(module, EDGE_SAFE) for module in leaves)


def test_it_costs_what_its_recipe_says() -> None:
    """0.8 GFLOP at 640x320, two per multiply-add."""
    net = archs.build("loupenet", 3).eval()
    with FlopCounterMode(display=False) as counted:
        net(torch.zeros(1, 3, 320, 640))
    assert counted.get_total_flops() == pytest.approx(0.8e9, rel=0.02)
