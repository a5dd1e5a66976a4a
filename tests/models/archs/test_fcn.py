"""FCN: three strides that begin as plain interpolation."""

from __future__ import annotations

import torch
from torch.nn import functional

from models.archs.fcn import FCN


def test_learned_upsampling_begins_as_bilinear_interpolation() -> None:
    net = FCN(3, 0.5)
    scores = torch.randn(1, 3, 5, 7)
    expected = functional.interpolate(scores, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(net.up5(scores)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_finer_strides_correct_coarser_ones() -> None:
    net = FCN(2, 0.5).eval()
    picture = torch.randn(1, 3, 128, 128)
    before = net(picture)
    for score in (net.score3, net.score4, net.score5):
        with torch.no_grad():
            score.get_parameter("bias")[1] += 1
    moved = net(picture) - before
    middle = slice(24, -24)  # away from borders, where the learned upsampling fades
    torch.testing.assert_close(moved[0, 1, middle, middle], torch.full((16, 16), 3.0))
    assert not moved[0, 0].any()
