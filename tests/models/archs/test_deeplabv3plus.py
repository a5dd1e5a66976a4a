"""DeepLabv3+: sees far, and the whole."""

from __future__ import annotations

import torch
from torch import nn

from models import archs
from models.archs.deeplabv3plus import DeepLabV3Plus


def test_the_encoder_stops_at_a_sixteenth_and_looks_further_apart() -> None:
    net = DeepLabV3Plus(2, 0.5)
    assert net.late(net.early(torch.zeros(2, 3, 64, 96))).shape[2:] == (4, 6)
    spread = {module.dilation[0] for module in net.modules() if isinstance(module, nn.Conv2d)}
    assert spread == {1, 2, 6, 12, 18}


def test_every_place_knows_of_the_whole_picture() -> None:
    torch.manual_seed(0)
    net = DeepLabV3Plus(2, 0.5).eval()
    seen = torch.zeros(1, 48, 64, 64)
    elsewhere = seen.clone()
    elsewhere[..., :8, :8] = 10.0  # further from the last corner than any atrous convolution reaches
    before, after = net.pyramid(seen), net.pyramid(elsewhere)
    assert (before - after)[..., -1, -1].abs().max() > 1e-3


def test_one_small_picture_is_a_batch() -> None:
    assert archs.build("deeplabv3plus", 2, width=0.5)(torch.randn(1, 3, 32, 32)).shape == (1, 2, 16, 16)
