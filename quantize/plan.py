"""Plan: which inputs of which operators are rounded to which grid, and the weights as integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quantize.fold import NETWORK, PRE
from quantize.grids import Grid, best_grid
from quantize.observe import histograms
from quantize.rounding import Weights, round_weights
from quantize.wiring import Wiring, attribute

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import onnx

    from edge.picture import Picture
    from quantize.observe import Histogram

WEIGHTED = ("Conv", "ConvTranspose")

QUANTISED = (*WEIGHTED, "Add", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Mul")
"""Operators that take integers."""

ACTIVATIONS = ("Relu", "Clip")

BOUNDED = (*WEIGHTED, "Add", "Mul")
"""Operators that an activation is carried out with."""

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
    spared: frozenset[str] = frozenset()  # nodes that compute in floating point all the same

    def sparing(self, nodes: Collection[str]) -> Plan:
        """Give the same plan with these nodes in floating point."""
        reads = tuple(read for read in self.reads if read.node not in nodes)
        weights = {name: held for name, held in self.weights.items() if name not in nodes}
        return replace(self, reads=reads, weights=weights, spared=self.spared | frozenset(nodes))

    @property
    def layers(self) -> tuple[str, ...]:
        """The nodes that are rounded, in the order of the data's way."""
        return tuple(dict.fromkeys(read.node for read in self.reads))


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a runtime wants of a plan."""

    symmetric: bool = False  # int8 about 0, instead of uint8 with a zero point
    fuse_additions: bool = True  # it adds within a convolution, whose own output is then not rounded in between
    share: tuple[str, ...] = ("Concat", "MaxPool")  # operators whose inputs and output have one grid
    channels: int = 1  # convolutions whose input channels are no multiple of this stay in floating point
    pairs: bool = False  # it may add two products in 16 bits
    whole: bool = False  # nothing runs in floating point: whatever flows has a grid, the logits too


@dataclass(frozen=True, slots=True)
class Observed:
    """What flows through a network, and its weights rounded for that: enough for plans of any style."""

    seen: dict[str, Histogram]  # by tensor
    weights: dict[str, Weights]  # by node
    paired: dict[str, Weights]  # the same, for runtimes that may add two products in 16 bits


def observe(model: onnx.ModelProto, pictures: Sequence[Picture]) -> Observed:
    """Run the folded float network on calibration pictures.

    Args:
        model: what `quantize.fold` made, as `quantize.equalise` left it.
        pictures: (H, W, 3) uint8 BGR at the network's input size.
    """
    wiring, every = Wiring(model.graph), Style(fuse_additions=False, whole=True)
    layers = [node for node in wiring.nodes if _is_rounded_layer(node, wiring, every)]
    return Observed(
        histograms(model, sorted({read.tensor for read in rounded_reads(wiring, every)}), pictures),
        *round_weights(model, layers, wiring, pictures[:MOMENT_PICTURES]),
    )


def make_plan(model: onnx.ModelProto, observed: Observed, style: Style) -> Plan:
    """Decide what is rounded in the style of a runtime, from what was observed of `model`."""
    wiring, seen = Wiring(model.graph), observed.seen
    reads = rounded_reads(wiring, style)
    grids: dict[str, Grid] = {}
    for group in _groups(wiring, reads, style):
        step = _step(group[0], wiring) if len(group) == 1 else None
        grid = best_grid(*(seen[name] for name in group), symmetric=style.symmetric, step=step)
        grids |= dict.fromkeys(group, grid)
    layers = {node.name for node in wiring.nodes if _is_rounded_layer(node, wiring, style)}
    weights = observed.paired if style.pairs else observed.weights
    return Plan(reads, grids, {name: held for name, held in weights.items() if name in layers})


def rounded_reads(wiring: Wiring, style: Style) -> tuple[Read, ...]:
    """List the inputs of the network's own operators that are rounded."""
    reads = []
    for node in wiring.nodes:
        if not _takes_integers(node, wiring, style):
            continue
        flowing = [
            Read(node.name, place, name)
            for place, name in enumerate(node.input)
            if name and name not in wiring.constants
        ]
        if style.fuse_additions and node.op_type == "Add" and len(flowing) == 2:
            fused = next((read for read in flowing if _is_a_convolutions_own(read.tensor, wiring)), None)
            flowing = [read for read in flowing if read is not fused]
        reads += flowing
    return tuple(reads)


def fused_activation(node: onnx.NodeProto, wiring: Wiring) -> onnx.NodeProto | None:
    """Give the activation that only bounds what `node` makes, where nobody else reads that."""
    readers = wiring.readers.get(node.output[0], [])
    return readers[0] if node.op_type in BOUNDED and len(readers) == 1 and readers[0].op_type in ACTIVATIONS else None


def _takes_integers(node: onnx.NodeProto, wiring: Wiring, style: Style) -> bool:
    if not style.whole:
        ours = node.name.startswith(NETWORK) and node.op_type in QUANTISED
        return ours and (node.op_type not in WEIGHTED or _is_rounded_layer(node, wiring, style))
    if not node.name.startswith(NETWORK):
        return any(name in wiring.makers and wiring.makers[name].name.startswith(NETWORK) for name in node.input)
    maker = wiring.makers.get(node.input[0])
    return maker is None or fused_activation(maker, wiring) is not node


def _is_rounded_layer(node: onnx.NodeProto, wiring: Wiring, style: Style) -> bool:
    if node.op_type not in WEIGHTED or not node.name.startswith(NETWORK) or node.input[1] not in wiring.constants:
        return False
    kernel = wiring.constants[node.input[1]]
    channels = kernel.shape[0] if node.op_type == "ConvTranspose" else kernel.shape[1]
    return bool(attribute(node, "group", 1) > 1 or channels % style.channels == 0)


def _groups(wiring: Wiring, reads: Sequence[Read], style: Style) -> list[list[str]]:
    """Put tensors together that have one grid: what is only passed on is not rounded again."""
    rounded = {read.tensor for read in reads}
    groups = {name: [name] for name in sorted(rounded)}
    for node in wiring.nodes:
        if node.op_type in style.share and node.name.startswith(NETWORK):
            names = [name for name in (*node.input, *node.output) if name in rounded]
            joined = sorted({other for name in names for other in groups[name]})
            groups |= dict.fromkeys(joined, joined)
    return [group for name, group in groups.items() if group[0] == name]


def _step(tensor: str, wiring: Wiring) -> float | None:
    """Give the step of what is made of pixels alone; none of everything else."""
    divided = wiring.maker(tensor, "Div")
    if divided is None or divided.name != f"{PRE}divide":
        return None
    mean, spread = wiring.constants[f"{PRE}mean"], wiring.constants[f"{PRE}std"]
    return 1 / float(spread.flat[0]) if np.ptp(spread) == 0 and not (mean % 1).any() else None


def _is_a_convolutions_own(tensor: str, wiring: Wiring) -> bool:
    return wiring.maker(tensor, *WEIGHTED) is not None and len(wiring.readers[tensor]) == 1
