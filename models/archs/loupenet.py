"""LoupeNet: a mobile encoder-decoder made for INT8: convolutions, ReLU6, additions and nearest upsampling only.

Inverted residuals after Sandler et al., MobileNetV2 (arXiv:1801.04381); dense 3x3 expansions in the early stages
after Gupta and Akin, "Accelerator-aware Neural Network Design using AutoML" (arXiv:2003.02838), because small dense
convolutions run faster on integer accelerators than depthwise ones. Every operator maps on an Edge TPU.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def _conv(cin: int, cout: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout),
    ]
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class _Residual(nn.Module):
    """Expand, filter, project; with the input added where the shapes agree."""

    def __init__(self, cin: int, cout: int, *, stride: int = 1, expand: int = 3, fused: bool = False) -> None:
        super().__init__()
        mid = cin * expand
        expansion = (
            [_conv(cin, mid, 3, stride=stride)]
            if fused
            else [_conv(cin, mid, 1), _conv(mid, mid, 3, stride=stride, groups=mid)]
        )
        self.body = nn.Sequential(*expansion, _conv(mid, cout, 1, act=False))
        self.adds = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.adds else y


class _Merge(nn.Module):
    """Bring a coarse map to the next finer stage and add what the encoder saw there."""

    def __init__(self, coarse: int, fine: int, cout: int) -> None:
        super().__init__()
        self.narrow = _conv(coarse, cout, 1, act=False)
        self.lateral = _conv(fine, cout, 1, act=False)
        self.smooth = nn.Sequential(_conv(cout, cout, 3, groups=cout), _conv(cout, cout, 1))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        up = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest")
        out: Tensor = self.smooth(up + self.lateral(fine))
        return out


class LoupeNet(nn.Module):
    """Encoder to 1/32 of the input, decoder back to 1/2, where the logits are."""

    def __init__(self, classes: int, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (max(8, round(c * width / 8) * 8) for c in (16, 24, 40, 64, 96))
        self.stem = _conv(3, c1, 3, stride=2)
        self.stage2 = _Residual(c1, c2, stride=2, expand=2, fused=True)
        self.stage3 = nn.Sequential(_Residual(c2, c3, stride=2), *(_Residual(c3, c3) for _ in range(2)))
        self.stage4 = nn.Sequential(_Residual(c3, c4, stride=2), *(_Residual(c4, c4) for _ in range(3)))
        self.stage5 = nn.Sequential(_Residual(c4, c5, stride=2), *(_Residual(c5, c5) for _ in range(2)))
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


def build(classes: int, width: float = 1.0) -> nn.Module:
    """Build a LoupeNet with logits at stride 2; `width` scales every channel count."""
    return LoupeNet(classes, width)
