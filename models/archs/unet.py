"""U-Net: an encoder and a decoder alike, joined at every level by concatenation; logits at the picture's full size.

Ronneberger, Fischer and Brox (arXiv:1505.04597), with padded convolutions and batch normalisation; the paper starts
with 64 channels, this one with 8 times `width`.

Three classes at 256x256: 0.49 M parameters, 1.53 GFLOP.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.archs import Network
from models.layers import channels, conv
from models.library import whole


class _Up(nn.Module):
    """Double the coarse map's size, put the fine one beside it, mix."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.mix = _double(2 * fine, fine)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([fine, self.up(coarse)], dim=1))
        return out


class UNet(Network):
    """As many halvings as `depth` says, each with twice the channels, and the way back."""

    def __init__(self, classes: int, width: float, depth: int) -> None:
        super().__init__()
        counts = [channels(8 * 2**level, width) for level in range(depth + 1)]
        self.first = _double(3, counts[0])
        pairs = list(pairwise(counts))
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), _double(fine, coarse)) for fine, coarse in pairs)
        self.up = nn.ModuleList(_Up(coarse, fine) for fine, coarse in reversed(pairs))
        self.head = nn.Conv2d(counts[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        logits: Tensor = self.head(x)
        return logits


def _double(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(conv(cin, cout, 3), conv(cout, cout, 3))


def build(classes: int, width: float = 1.0, depth: float = 4) -> Network:
    """Build a U-Net with logits at stride 1; `width` scales every channel count.

    Raises:
        ValueError: `depth` is not a whole number from 1 to 5, as often as 32 pixels can be halved.
    """
    return UNet(classes, width, whole("depth", depth, 1, 5))
