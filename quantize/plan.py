"""Plan: which inputs of which operators are rounded to which grid, and the weights as integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantize.fold import NETWORK, PRE
from quantize.grids import Grid, best_grid
from quantize.observe import histograms
from quantize.rounding import Weights, round_weights
from quantize.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from edge.frame import Picture

WEIGHTED = ("Conv", "ConvTranspose")

QUANTISED = (*WEIGHTED, "Add", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Mul")
"""Operators that take integers."""

MOMENT_PICTURES = 60


@dataclass(frozen=True, slots=True)
class Read:
    """An operator's input that is rounded."""

    node: str
    place: int
    tensor: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rounded, and how."""

    reads: tuple[Read, ...]
    grids: dict[str, Grid]  # by tensor
    weights: dict[str, Weights]  # by node


def make_plan(
    model: onnx.ModelProto, pictures: Sequence[Picture], *, symmetric: bool = False, fuse_additions: bool = True
) -> Plan:
    """Decide on grids and weights from what flows through the folded float network on calibration pictures.

    Args:
        model: what `quantize.fold` made, as `quantize.equalise` left it.
        pictures: (H, W, 3) uint8 BGR at the network's input size.
        symmetric: int8 about 0, instead of uint8 with a zero point.
        fuse_additions: what a convolution adds to a skip branch is not rounded in between: for runtimes that add within
            the convolution.
    """
    wiring = Wiring(model.graph)
    reads = rounded_reads(wiring, fuse_additions=fuse_additions)
    seen = histograms(model, sorted({read.tensor for read in reads}), pictures)
    layers = [
        node
        for node in wiring.nodes
        if node.op_type in WEIGHTED and node.name.startswith(NETWORK) and node.input[1] in wiring.constants
    ]
    return Plan(
        reads,
        {name: best_grid(seen[name], symmetric=symmetric, step=_step(name, wiring)) for name in seen},
        round_weights(model, layers, wiring, pictures[:MOMENT_PICTURES]),
    )


def _step(tensor: str, wiring: Wiring) -> float | None:
    """Give the step of what is made of pixels alone; none of everything else."""
    divided = wiring.maker(tensor, "Div")
    if divided is None or divided.name != f"{PRE}divide":
        return None
    mean, spread = wiring.constants[f"{PRE}mean"], wiring.constants[f"{PRE}std"]
    return 1 / float(spread.flat[0]) if np.ptp(spread) == 0 and not (mean % 1).any() else None


def rounded_reads(wiring: Wiring, *, fuse_additions: bool) -> tuple[Read, ...]:
    """List the inputs of the network's own operators that are rounded."""
    reads = []
    for node in wiring.nodes:
        if not node.name.startswith(NETWORK) or node.op_type not in QUANTISED:
            continue
        flowing = [
            Read(node.name, place, name)
            for place, name in enumerate(node.input)
            if name and name not in wiring.constants
        ]
        if fuse_additions and node.op_type == "Add" and len(flowing) == 2:
            fused = next((read for read in flowing if _is_a_convolutions_own(read.tensor, wiring)), None)
            flowing = [read for read in flowing if read is not fused]
        reads += flowing
    return tuple(reads)


def _is_a_convolutions_own(tensor: str, wiring: Wiring) -> bool:
    return wiring.maker(tensor, *WEIGHTED) is not None and len(wiring.readers[tensor]) == 1
