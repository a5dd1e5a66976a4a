"""Sensitivity: what rounding one layer alone does to the masks, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import shape_inference
from tqdm import tqdm

from models.metrics import binary_iou
from quantize.canonical import shapes_of
from quantize.figures import LayerSensitivity
from quantize.fold import NETWORK, head
from quantize.judge import evenly
from quantize.observe import flow
from quantize.plan import WEIGHTED, Style, make_plan
from quantize.qdq import write_qdq
from quantize.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.picture import Picture
    from quantize.targets import Network

    Logits = NDArray[np.float32]

STYLE = Style(fuse_additions=False)
"""Every operator by itself, on grids with a zero point."""

PICTURES = 12
"""Enough to tell layers apart: what counts is their order."""


def measure_sensitivity(network: Network, pictures: Sequence[Picture], focus: int) -> tuple[LayerSensitivity, ...]:
    """Round the inputs and weights of one layer after the other, all others in float, in the order of the data's way.

    Errors of single layers add up to nearly that of all of them together, so they also tell what leaving one out gains.

    Args:
        network: in float, with what was observed of it.
        pictures: (H, W, 3) uint8 BGR at the network's input size; the first `PICTURES` evenly drawn ones are used.
        focus: index of the class whose masks are compared.
    """
    model, plan = network.equalised, make_plan(network.equalised, network.observed, STYLE)
    drawn = evenly(pictures, PICTURES)
    graph = shape_inference.infer_shapes(model).graph
    nodes, wiring, shapes = {node.name: node for node in graph.node}, Wiring(graph), shapes_of(graph)
    true = _logits(model, drawn)
    power = sum(float(np.square(one).sum()) for one in true)
    found = []
    for name in tqdm(plan.layers, desc="sensitivity", unit="layer", disable=None, leave=False):
        others = frozenset(plan.layers) - {name}
        rounded = _logits(write_qdq(model, plan.sparing(others)), drawn)
        noise = sum(float(np.square(a - b).sum()) for a, b in zip(rounded, true, strict=True))
        found.append(
            LayerSensitivity(
                layer=name.removeprefix(NETWORK),
                operator=nodes[name].op_type,
                macs=_macs(nodes[name], wiring, shapes),
                mask_loss=_mask_loss(true, rounded, focus),
                snr_db=float(10 * np.log10(max(power, 1e-30) / max(noise, 1e-15 * power, 1e-30))),
            )
        )
    return tuple(found)


def ranked(layers: Sequence[LayerSensitivity]) -> list[LayerSensitivity]:
    """Put the layer first whose rounding costs the masks most."""
    return sorted(layers, key=lambda one: (-one.mask_loss, one.snr_db))


def _macs(node: onnx.NodeProto, wiring: Wiring, shapes: Mapping[str, Sequence[int]]) -> int:
    """Count a convolution's multiplications; other layers have none."""
    if node.op_type not in WEIGHTED or node.input[1] not in wiring.constants:
        return 0
    over = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
    return int(np.prod(shapes[over], dtype=np.int64) * wiring.constants[node.input[1]][0].size)


def _logits(model: onnx.ModelProto, pictures: Sequence[Picture]) -> list[Logits]:
    return [logits for (logits,) in flow(model, head(Wiring(model.graph)).output[:1], pictures)]


def _mask_loss(true: Sequence[Logits], rounded: Sequence[Logits], focus: int) -> float:
    """Give 1 - IoU of the focus class's masks, over all pictures together; of all classes' where float sees none."""
    float_, int8 = (np.stack([one.argmax(axis=1) for one in logits]) for logits in (true, rounded))
    if (float_ == focus).any():
        return 1 - binary_iou(float_ == focus, int8 == focus)
    return float((float_ != int8).mean())
