"""DeepLabv3+: atrous convolutions over a mobile encoder see at many scales, a decoder sharpens with early features.

Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation" (arXiv:1802.02611):
output stride 16, atrous rates 6, 12 and 18; the encoder's inverted residuals after MobileNetV2 (arXiv:1801.04381).

Three classes at 256x256: 0.66 M parameters, 0.73 GFLOP.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.archs import Network
from models.layers import channels, conv, separable, stage

RATES = (6, 12, 18)
EXPAND = 6


class _Pyramid(nn.Module):
    """Atrous spatial pyramid pooling.

    What the whole picture holds is projected by itself and added: the same as concatenating copies of it for every
    place, without the copies.
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([conv(cin, cout, 1), *(separable(cin, cout, dilation=rate) for rate in RATES)])
        self.project = conv(len(self.branches) * cout, cout, 1, act=False)
        # Without batch normalisation, which can't learn from a batch of one picture: one value a channel.
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(cin, cout, 1), nn.ReLU6(inplace=True), nn.Conv2d(cout, cout, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = self.project(torch.cat([branch(x) for branch in self.branches], dim=1))
        return functional.relu6(seen + self.whole(x))


class DeepLabV3Plus(Network):
    """Encoder to 1/16 of the input with an atrous last stage; decoder at 1/4; logits at 1/2."""

    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (channels(c, width) for c in (16, 24, 32, 64, 96))
        low = channels(16, width)
        self.early = nn.Sequential(conv(3, c1, 3, stride=2), stage(c1, c2, 2, expand=EXPAND))
        self.late = nn.Sequential(
            stage(c2, c3, 3, expand=EXPAND),
            stage(c3, c4, 4, expand=EXPAND),
            stage(c4, c5, 3, stride=1, expand=EXPAND, dilation=2),
        )
        self.pyramid = _Pyramid(c5, c5)
        self.low = conv(c2, low, 1)
        self.refine = nn.Sequential(separable(c5 + low, c5), separable(c5, c5))
        self.head = nn.Conv2d(c5, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        early = self.early(x)
        seen = self.pyramid(self.late(early))
        seen = functional.interpolate(seen, scale_factor=4.0, mode="bilinear", align_corners=False)
        logits = self.head(self.refine(torch.cat([seen, self.low(early)], dim=1)))
        return functional.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)


def build(classes: int, width: float = 1.0) -> Network:
    """Build a DeepLabv3+ with logits at stride 2; `width` scales every channel count."""
    return DeepLabV3Plus(classes, width)
