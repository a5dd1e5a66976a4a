"""FCN-8s: class scores at strides 32, 16 and 8, brought together by learned upsampling, on a small residual encoder.

Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation" (arXiv:1411.4038), heads and
their initial values; the encoder's basic blocks after He et al. (arXiv:1512.03385), in place of the paper's VGG-16.

Three classes at 256x256: 0.85 M parameters, 0.50 GFLOP.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.archs import Network
from models.layers import channels, conv


class _Basic(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, cin: int, cout: int, *, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(cin, cout, 3, stride=stride), conv(cout, cout, 3, act=False))
        self.shortcut = conv(cin, cout, 1, stride=stride, act=False) if (stride, cin) != (1, cout) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(self.body(x) + self.shortcut(x))


class FCN(Network):
    """Encoder to 1/32 of the input; its last three stages score the classes; logits at 1/2."""

    scoring = ("score3", "score4", "score5")

    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (channels(c, width) for c in (16, 24, 48, 80, 128))
        self.early = nn.Sequential(conv(3, c1, 3, stride=2), _stage(c1, c2))
        self.stage3 = _stage(c2, c3)
        self.stage4 = _stage(c3, c4)
        self.stage5 = _stage(c4, c5)
        self.score3, self.score4, self.score5 = (nn.Conv2d(c, classes, 1) for c in (c3, c4, c5))
        self.up5, self.up4 = _doubling(classes), _doubling(classes)

    def forward(self, x: Tensor) -> Tensor:
        x3 = self.stage3(self.early(x))
        x4 = self.stage4(x3)
        x5 = self.stage5(x4)
        scores = self.up5(self.score5(x5)) + self.score4(x4)
        scores = self.up4(scores) + self.score3(x3)
        return functional.interpolate(scores, scale_factor=4.0, mode="bilinear", align_corners=False)


def _stage(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(_Basic(cin, cout, stride=2), _Basic(cout, cout))


def _doubling(classes: int) -> nn.ConvTranspose2d:
    """Make a learned upsampling that starts as bilinear interpolation, each class by itself."""
    up = nn.ConvTranspose2d(classes, classes, 4, stride=2, padding=1, bias=False)
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        up.weight.copy_(torch.eye(classes)[:, :, None, None] * ramp[:, None] * ramp)
    return up


def build(classes: int, width: float = 1.0) -> Network:
    """Build an FCN-8s with logits at stride 2; `width` scales every channel count."""
    return FCN(classes, width)
