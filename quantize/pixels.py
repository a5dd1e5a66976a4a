"""Pixels: a first layer that takes pictures as they come, bytes in their own order of colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quantize.fold import PRE
from quantize.grids import Grid
from quantize.wiring import attribute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantize.plan import Plan
    from quantize.rounding import Weights
    from quantize.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Pixels:
    """The normalised picture as integers that are the pixels themselves; the layers that read it make up for the rest.

    Such layers are padded with the mean of all colours, instead of with each one's own.
    """

    entry: str  # the normalised picture
    grid: Grid
    lacking: NDArray[np.float64]  # by channel, what the grid's numbers are short of the normalised ones
    turned: bool  # whether the network takes colours in the other order

    def taken_in(self, held: Weights) -> Weights:
        """Give the weights of a layer that reads pixels."""
        bias = 0 if held.bias is None else held.bias
        bias = bias + held.scales * (held.values.sum(axis=(2, 3)) @ self.lacking)
        values = held.values[:, ::-1] if self.turned else held.values
        return replace(held, values=np.ascontiguousarray(values), bias=bias.astype(np.float32))


def pixels_of(wiring: Wiring, plan: Plan) -> Pixels | None:
    """Say how pictures are taken as they come; none where a layer that reads them is not rounded, or not dense."""
    entry = next(node for node in wiring.nodes if node.name == f"{PRE}divide").output[0]
    for node in wiring.readers[entry]:
        if node.op_type != "Conv" or node.name not in plan.weights or attribute(node, "group", 1) > 1:
            return None
    mean, spread = (wiring.constants[f"{PRE}{name}"].ravel().astype(np.float64) for name in ("mean", "std"))
    common = round(float(mean.mean()))
    if np.ptp(spread) or not 0 <= common <= 255 or plan.grids[entry].symmetric:
        return None
    turned = any(node.name == f"{PRE}reverse" for node in wiring.nodes)
    return Pixels(entry, Grid(1 / float(spread[0]), common, symmetric=False), (common - mean) / spread, turned)
