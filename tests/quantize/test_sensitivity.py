"""What rounding one layer alone does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge.picture import read_picture
from edge.pictures.prepare import prepare
from quantize.fold import fold
from quantize.plan import make_plan
from quantize.qdq import write_qdq
from quantize.sensitivity import STYLE, _logits, measure_sensitivity, ranked
from quantize.targets import Network
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def network(pictures: Path, tmp_path: Path) -> Network:
    folded = tmp_path / "folded.onnx"
    onnx.save(fold(toy_network(), toy_card()), folded)
    shown = [prepare(read_picture(p), WIDTH, HEIGHT) for p in sorted((pictures / "images").iterdir())]
    return Network(folded, shown[:8])


def test_errors_of_single_layers_add_up_to_that_of_all_together(network: Network) -> None:
    found = measure_sensitivity(network, network.pictures, 1)
    plan = make_plan(network.equalised, network.observed, STYLE)
    true, rounded = (
        _logits(model, network.pictures) for model in (network.equalised, write_qdq(network.equalised, plan))
    )
    power, noise = (sum(float(np.square(a).sum()) for a in given) for given in (true, np.subtract(rounded, true)))
    single = sum(10 ** (-one.snr_db / 10) for one in found)
    assert single == pytest.approx(noise / power, rel=0.5)
    assert [one.operator for one in found] == ["Conv"] * len(found)
    assert all(0 <= one.mask_loss <= 1 and one.macs > 0 for one in found)


def test_the_layer_with_an_outlier_among_its_weights_is_the_most_sensitive(network: Network) -> None:
    layer = measure_sensitivity(network, network.pictures, 1)[-1].layer
    graph = network.equalised.graph
    node = next(n for n in graph.node if n.name.endswith(layer))
    weights = next(t for t in graph.initializer if t.name == node.input[1])
    values = onnx.numpy_helper.to_array(weights).copy()
    unread = np.unravel_index(np.abs(values).argmin(), values.shape)
    values[unread] = 40 * np.abs(values).max()
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    del network.observed  # of the weights as they were
    assert ranked(measure_sensitivity(network, network.pictures, 1))[0].layer == layer
