"""U-Net: full size whatever its depth."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models import archs


@pytest.mark.parametrize("depth", [1, 3, 5.0])
def test_it_halves_as_often_as_it_is_told_and_comes_back(depth: float) -> None:
    net = archs.build("unet", 2, width=0.5, depth=depth)
    assert sum(isinstance(module, nn.MaxPool2d) for module in net.modules()) == depth
    assert net(torch.zeros(2, 3, 64, 32)).shape == (2, 2, 64, 32)


@pytest.mark.parametrize("depth", [0, 6, 2.5, "deep"])
def test_a_depth_that_does_not_exist_is_refused(depth: float | str) -> None:
    with pytest.raises(ValueError, match=f"depth = {depth}: must be a whole number from 1 to 5"):
        archs.build("unet", 2, depth=depth)
