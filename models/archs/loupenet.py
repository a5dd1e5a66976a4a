"""LoupeNet: a mobile encoder-decoder made for INT8: convolutions, ReLU6, additions and nearest upsampling only.

Inverted residuals after Sandler et al., MobileNetV2 (arXiv:1801.04381); dense 3x3 expansions in the early stages
after Gupta and Akin, "Accelerator-aware Neural Network Design using AutoML" (arXiv:2003.02838), because small dense
convolutions run faster on integer accelerators than depthwise ones. Every operator maps on an Edge TPU.

Three classes at 256x256: 0.31 M parameters, 0.25 GFLOP.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from models.archs import Network
from models.layers import InvertedResidual, channels, conv, separable, stage


class _Merge(nn.Module):
    """Bring a coarse map to the next finer stage and add what the encoder saw there."""

    def __init__(self, coarse: int, fine: int, cout: int) -> None:
        super().__init__()
        self.narrow = conv(coarse, cout, 1, act=False)
        self.lateral = conv(fine, cout, 1, act=False)
        self.smooth = separable(cout, cout)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        up = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest")
        out: Tensor = self.smooth(up + self.lateral(fine))
        return out


class LoupeNet(Network):
    """Encoder to 1/32 of the input, decoder back to 1/2, where the logits are."""

    def __init__(self, classes: int, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (channels(c, width) for c in (16, 24, 40, 64, 96))
        self.stem = conv(3, c1, 3, stride=2)
        self.stage2 = InvertedResidual(c1, c2, stride=2, expand=2, fused=True)
        self.stage3 = stage(c2, c3, 3)
        self.stage4 = stage(c3, c4, 4)
        self.stage5 = stage(c4, c5, 3)
        self.merge4 = _Merge(c5, c4, c4)
        self.merge3 = _Merge(c4, c3, c3)
        self.merge2 = _Merge(c3, c2, c2)
        self.merge1 = _Merge(c2, c1, c1)
        self.head = nn.Conv2d(c1, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.stem(x)
        x2 = self.stage2(x1)
        x3 = self.stage3(x2)
        x4 = self.stage4(x3)
        x = self.merge4(self.stage5(x4), x4)
        x = self.merge3(x, x3)
        x = self.merge2(x, x2)
        logits: Tensor = self.head(self.merge1(x, x1))
        return logits


def build(classes: int, width: float = 1.0) -> Network:
    """Build a LoupeNet with logits at stride 2; `width` scales every channel count."""
    return LoupeNet(classes, width)
