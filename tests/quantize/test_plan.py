"""From a float network to a plan, and to a graph that rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from models.checkpoint import Checkpoint, build_network
from models.export import export
from models.recipe import Recipe
from quantize.equalise import equalise
from quantize.fold import PRE, fold, load_model
from quantize.observe import channel_extremes, flow
from quantize.plan import Style, make_plan, observe, rounded_reads
from quantize.qdq import write_qdq
from quantize.rules import jetson
from quantize.typed import strongly_typed
from quantize.wiring import Wiring
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

    from edge.picture import Picture


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Smooth ones, as cameras give them."""
    rng = np.random.default_rng(0)
    rough = rng.integers(20, 230, (12, 5, 9, 3), np.uint8)
    return [np.kron(one, np.ones((8, 8, 1), np.uint8))[:32, :64] for one in rough]


@pytest.fixture(scope="module", params=["loupenet", "unet", "deeplabv3plus"])
def folded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    return untrained(request.param, 2.0, tmp_path_factory.mktemp("network") / "net.onnx")


def untrained(arch: str, gain: float, path: Path) -> onnx.ModelProto:
    """Give a network that nobody trained, with channels of very unlike ranges."""
    recipe = Recipe.model_validate(TOY | {"arch": {"name": arch, "width": 0.5}})
    torch.manual_seed(1)
    net = build_network(recipe)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.05, gain)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
    export(Checkpoint(recipe, net.state_dict(), 1, 0.0), path)
    return fold(*load_model(path))


def logits_of(model: onnx.ModelProto) -> str:
    return str(next(node for node in model.graph.node if node.op_type == "ArgMax").input[0])


def logits(model: onnx.ModelProto, pictures: list[Picture]) -> np.ndarray:
    return np.concatenate([value for (value,) in flow(model, [logits_of(model)], pictures, "")])


def noise(model: onnx.ModelProto, reference: np.ndarray, pictures: list[Picture]) -> float:
    return float(np.square(logits(model, pictures) - reference).mean() / reference.var())


def test_an_equalised_network_computes_the_same(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    before, after = logits(folded, pictures), logits(equalise(folded, pictures), pictures)
    inside = (..., slice(4, -4), slice(4, -4))  # borders are padded with a mean rounded to a whole pixel
    assert np.abs(after[inside] - before[inside]).max() < 0.02 * np.abs(before).max()


def test_what_goes_further_in_other_pictures_is_not_cut_off(pictures: list[Picture], tmp_path: Path) -> None:
    model = untrained("loupenet", 3.5, tmp_path / "net.onnx")
    calm = [np.asarray(32 + 0.75 * picture, np.uint8) for picture in pictures]
    before, after = logits(model, pictures), logits(equalise(model, calm), pictures)
    inside = (..., slice(4, -4), slice(4, -4))
    assert np.abs(after[inside] - before[inside]).max() < 0.005 * np.abs(before).max()


def test_its_channels_have_ranges_more_alike(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    equal = equalise(folded, pictures)
    names = sorted({read.tensor for read in rounded_reads(Wiring(folded.graph), Style(fuse_additions=False))})
    names = [name for name in names if not name.startswith(PRE) and "picture" not in name]

    def spread(model: onnx.ModelProto) -> float:
        reach = [np.abs(e).max(axis=0) for e in channel_extremes(model, names, pictures).values()]
        return float(np.mean([np.log(one.max() / np.maximum(one, 1e-3)).mean() for one in reach]))

    assert spread(equal) < spread(folded) - 0.1


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_rounded_network_is_close_to_float(
    folded: onnx.ModelProto, pictures: list[Picture], *, fused: bool, symmetric: bool
) -> None:
    reference, equal = logits(folded, pictures), equalise(folded, pictures)
    rounded = write_qdq(
        equal, make_plan(equal, observe(equal, pictures), Style(fuse_additions=fused, symmetric=symmetric))
    )
    plain = write_qdq(
        folded, make_plan(folded, observe(folded, pictures), Style(fuse_additions=fused, symmetric=symmetric))
    )
    assert 0 < noise(rounded, reference, pictures) < 0.005
    assert noise(rounded, reference, pictures) < 1.2 * noise(plain, reference, pictures)
    kinds = {numpy_helper.to_array(t).dtype for t in rounded.graph.initializer if t.name.endswith("weights/integers")}
    assert kinds == {np.dtype(np.int8)}


def test_every_convolution_reads_integers_and_holds_integers(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    rounded = write_qdq(folded, make_plan(folded, observe(folded, pictures), Style()))
    wiring = Wiring(rounded.graph)
    convolutions = [node for node in wiring.nodes if node.op_type in ("Conv", "ConvTranspose")]
    assert convolutions
    for node in convolutions:
        assert wiring.maker(node.input[0], "DequantizeLinear")
        assert wiring.maker(node.input[1], "DequantizeLinear")
        assert node.input[2] in wiring.constants
    weights = {node.input[1] for node in Wiring(folded.graph).nodes if node.op_type == "Conv"}
    assert not weights & set(wiring.constants)  # those in floating point are gone


JETSON = Style(symmetric=True, channels=4)


def test_a_plan_for_tensorrt_keeps_to_all_of_its_rules(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    plan = make_plan(folded, observe(folded, pictures), JETSON)
    typed = strongly_typed(write_qdq(folded, plan))
    assert jetson.check_graph(typed) == []
    wiring = Wiring(typed.graph)
    (stem,) = (node for node in wiring.nodes if node.op_type == "Conv" and node.input[1].endswith("/half"))
    assert wiring.constants[stem.input[1]].dtype == np.float16
    assert noise(typed, logits(folded, pictures), pictures) < 0.01
    layers = [node for node in folded.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(plan.weights) == len(layers) - 1  # the first one stays as it is
    without = make_plan(folded, observe(folded, pictures), Style(symmetric=True))
    assert {f.rule.name for f in jetson.check_graph(write_qdq(folded, without))} >= {"input-channels"}


def test_pixels_go_in_without_error(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    equal = equalise(folded, pictures)
    plan = make_plan(equal, observe(equal, pictures), Style())
    (name,) = [read.tensor for read in plan.reads if read.tensor.endswith("picture")]
    for (value,) in flow(equal, [name], pictures, ""):
        assert np.abs(plan.grids[name].rounded(value) - value).max() < 1e-5


def test_the_rounded_graph_runs_as_the_float_one_does(folded: onnx.ModelProto, pictures: list[Picture]) -> None:
    rounded = write_qdq(folded, make_plan(folded, observe(folded, pictures), Style()))
    session = onnxruntime.InferenceSession(rounded.SerializeToString(), providers=["CPUExecutionProvider"])
    classes, scores = session.run(["classes", "scores"], {"picture": pictures[0][None]})
    assert classes.dtype == scores.dtype == np.uint8
