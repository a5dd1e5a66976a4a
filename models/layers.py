"""Layers that the architectures are put together from: convolutions with batch normalisation, inverted residuals."""

from __future__ import annotations

from torch import Tensor, nn


def channels(base: int, width: float) -> int:
    """Scale a channel count by `width`, to a multiple of 8, which integer accelerators compute at full speed."""
    return max(8, round(base * width / 8) * 8)


def conv(
    cin: int, cout: int, kernel: int, *, stride: int = 1, groups: int = 1, dilation: int = 1, act: bool = True
) -> nn.Sequential:
    """Make a padded convolution with batch normalisation and, unless told otherwise, ReLU6."""
    layers: list[nn.Module] = [
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2 * dilation, groups=groups, dilation=dilation, bias=False),
        nn.BatchNorm2d(cout),
    ]
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


def separable(cin: int, cout: int, *, dilation: int = 1) -> nn.Sequential:
    """Make a 3x3 convolution of every channel by itself, then one over channels."""
    return nn.Sequential(conv(cin, cin, 3, groups=cin, dilation=dilation), conv(cin, cout, 1))


class InvertedResidual(nn.Module):
    """Expand, filter, project; with the input added where the shapes agree (Sandler et al., arXiv:1801.04381).

    `fused` expands and filters in one dense 3x3 convolution.
    """

    def __init__(
        self, cin: int, cout: int, *, stride: int = 1, expand: int = 3, dilation: int = 1, fused: bool = False
    ) -> None:
        super().__init__()
        mid = cin * expand
        expansion = (
            [conv(cin, mid, 3, stride=stride)]
            if fused
            else [conv(cin, mid, 1), conv(mid, mid, 3, stride=stride, groups=mid, dilation=dilation)]
        )
        self.body = nn.Sequential(*expansion, conv(mid, cout, 1, act=False))
        self.adds = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.adds else y


def stage(cin: int, cout: int, blocks: int, *, stride: int = 2, expand: int = 3, dilation: int = 1) -> nn.Sequential:
    """Make inverted residuals in a row; the first one takes the stride."""
    first = InvertedResidual(cin, cout, stride=stride, expand=expand, dilation=dilation)
    rest = (InvertedResidual(cout, cout, expand=expand, dilation=dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)
