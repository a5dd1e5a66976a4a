"""What every architecture must do: logits for every class, gradients everywhere, operators that map on INT8 chips."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models import archs

EDGE_SAFE = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU6)


@pytest.mark.parametrize("name", archs.NAMES)
def test_logits_cover_the_picture_for_every_class(name: str) -> None:
    net = archs.build(name, 4, width=0.5).eval()
    logits = net(torch.zeros(2, 3, 64, 96))
    assert logits.shape[:2] == (2, 4)
    assert logits.shape[2] * 96 == logits.shape[3] * 64


@pytest.mark.parametrize("name", archs.NAMES)
def test_every_weight_learns(name: str) -> None:
    net = archs.build(name, 3, width=0.5)
    net(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters() if p.ndim > 1)


def test_loupenet_is_made_of_operators_that_quantise_well() -> None:
    leaves = [module for module in archs.build("loupenet", 3).modules() if not list(module.children())]
    assert all(isinstance(module, EDGE_SAFE) for module in leaves)


def test_loupenet_costs_what_its_recipe_says() -> None:
    """0.8 GFLOP at 640x320, two per multiply-add."""
    macs = 0

    def count(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal macs
        assert isinstance(module, nn.Conv2d)
        macs += output.numel() * module.weight[0].numel()

    net = archs.build("loupenet", 3).eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    net(torch.zeros(1, 3, 320, 640))
    assert 2 * macs == pytest.approx(0.8e9, rel=0.02)


def test_an_unknown_architecture_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="must be one of loupenet"):
        archs.build("resnet", 2)
