"""Canonical graphs: the same numbers from any export, or a reason with the node's name."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import ModelError
from quantize.canonical import canonical, image_input, shape_of
from quantize.opset import OPSET

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Attention(nn.Module):
    """Every pixel of a small map looks at all others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x.flatten(2).transpose(1, 2))).chunk(3, dim=-1)
        seen = torch.softmax(q @ k.transpose(1, 2) / c**0.5, dim=-1) @ v
        found: Tensor = x + seen.transpose(1, 2).reshape(n, c, h, w)
        return found


class Net(nn.Module):
    """A small encoder-decoder with one of the usual ways up."""

    def __init__(self, up: str, channels: int = 3) -> None:
        super().__init__()
        self.up = up
        self.down = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1)
        )
        self.transposed = nn.ConvTranspose2d(8, 8, 4, 4)
        self.attention = Attention(8)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        if self.up == "transposed":
            y = self.transposed(y)
        elif self.up == "attention":
            y = functional.interpolate(self.attention(y), size=(x.shape[2], x.shape[3]), mode="nearest")
        elif self.up == "bilinear-corners":
            y = functional.interpolate(y, scale_factor=4.0, mode="bilinear", align_corners=True)
        else:
            y = functional.interpolate(y, scale_factor=4.0, mode=self.up)
        logits: Tensor = self.head(y)
        return logits


def export(net: nn.Module, opset: int, *, channels: int = 3, dynamic: bool = False) -> onnx.ModelProto:
    """Export as most people's files were: by tracing, batch normalisation left as it is."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, channels, 32, 48),),
            file,  # type: ignore[arg-type] # by tracing it writes to any file
            dynamo=False,
            opset_version=opset,
            input_names=["picture"],
            output_names=["logits"],
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamic_axes={"picture": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n", 2: "h", 3: "w"}} if dynamic else None,
        )
    return onnx.load_from_string(file.getvalue())


def run(model: onnx.ModelProto, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: picture})[0], np.float32)


def assert_same(one: onnx.ModelProto, other: onnx.ModelProto, shape: tuple[int, ...] = (1, 3, 32, 48)) -> None:
    picture = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = run(one, picture)
    assert expected.std() > 0.01
    np.testing.assert_allclose(run(other, picture), expected, atol=1e-4)


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(
    ("up", "opset"),
    [
        (up, opset)
        for up in ("nearest", "bilinear", "bilinear-corners", "transposed", "attention")
        for opset in (9, 11, 13, 16, 18, 20)
        if (up, opset) != ("bilinear-corners", 9)  # opset 9 can't say it
    ],
)
def test_any_opset_and_any_way_up_gives_the_same(up: str, opset: int) -> None:
    model = export(Net(up), opset)
    assert "BatchNormalization" in operators(model)
    found = canonical(model, "x.onnx")
    assert not operators(found) & {"BatchNormalization", "Upsample", "Identity", "Constant", "Shape", "Dropout"}
    assert [(entry.domain, entry.version) for entry in found.opset_import] == [("", OPSET)]
    assert shape_of(found.graph.output[0]) == [1, 2, 32, 48]
    assert_same(model, found)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_may_have_one_to_four_channels(channels: int) -> None:
    model = export(Net("nearest", channels), 17, channels=channels)
    assert_same(model, canonical(model, "x.onnx"), (1, channels, 32, 48))


def test_open_sizes_are_given_numbers() -> None:
    model = export(Net("nearest"), 17, dynamic=True)
    found = canonical(model, "x.onnx", size=(64, 32))
    assert shape_of(found.graph.input[0]) == [1, 3, 32, 64]
    assert not operators(found) & {"Shape", "Gather", "Cast"}
    assert_same(model, found, (1, 3, 32, 64))
    with pytest.raises(ModelError, match=r"x\.onnx: leaves the size of pictures open"):
        canonical(model, "x.onnx")


def node(kind: str, given: list[str], made: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given, made, name=f"the_{kind}", **attributes)


def make(
    nodes: list[onnx.NodeProto],
    *,
    shape: tuple[int | str, ...] = (1, 3, 8, 8),
    kind: int = TensorProto.FLOAT,
    weights: dict[str, NDArray[Any]] | None = None,
    opset: int = 13,
    inputs: tuple[str, ...] = ("x",),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


RNG = np.random.default_rng(1)
KERNEL = RNG.normal(size=(2, 3, 3, 3)).astype(np.float32)
CONV = node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])


@pytest.mark.parametrize("opset", [7, 9])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_the_oldest_upsampling_is_read(opset: int, mode: str) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    if opset == 7:
        up = node("Upsample", ["a"], ["y"], mode=mode, scales=scales.tolist())
        weights: dict[str, NDArray[Any]] = {"w": KERNEL}
    else:
        up = node("Upsample", ["a", "s"], ["y"], mode=mode)
        weights = {"w": KERNEL, "s": scales}
    model = make([node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), up], weights=weights, opset=opset)
    found = canonical(model, "x.onnx")
    assert "Resize" in operators(found)
    assert_same(model, found, (1, 3, 8, 8))


@pytest.mark.parametrize("kind", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_written_in_numbers(kind: str, stride: int) -> None:
    model = make(
        [
            node("Conv", ["x", "w"], ["a"], auto_pad=kind, strides=[stride, stride]),
            node("MaxPool", ["a"], ["y"], auto_pad=kind, kernel_shape=[2, 2]),
        ],
        weights={"w": KERNEL},
    )
    found = canonical(model, "x.onnx")
    assert not [a.name for n in found.graph.node for a in n.attribute if a.name == "auto_pad"]
    assert_same(model, found, (1, 3, 8, 8))


def test_a_network_of_channels_last_is_turned() -> None:
    model = make(
        [
            node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
            node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]),
            helper.make_node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
        ],
        shape=("n", 8, 6, 3),
        weights={"w": KERNEL},
    )
    found = canonical(model, "x.onnx")
    assert operators(found) == {"Conv"}
    assert shape_of(found.graph.input[0]) == [1, 3, 8, 6]
    picture = RNG.normal(size=(1, 3, 8, 6)).astype(np.float32)
    expected = run(model, np.ascontiguousarray(picture.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(run(found, picture), expected, atol=1e-5)


def test_weights_may_stand_among_the_inputs() -> None:
    model = make([CONV], weights={"w": KERNEL}, opset=9)
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, KERNEL.shape))
    found = canonical(model, "x.onnx")
    assert image_input(found.graph, "x").name == "x"
    assert len(found.graph.input) == 1
    assert_same(model, found, (1, 3, 8, 8))


def test_the_model_given_stays_as_it_is_and_what_is_canonical_stays_so() -> None:
    model = export(Net("nearest"), 12)
    before = model.SerializeToString()
    once = canonical(model, "x.onnx")
    assert model.SerializeToString() == before
    twice = canonical(once, "x.onnx")
    assert [n.op_type for n in twice.graph.node] == [n.op_type for n in once.graph.node]
    assert len({n.name for n in once.graph.node}) == len(once.graph.node)


def branch(name: str) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node("Relu" if name == "then" else "Neg", ["x"], [f"{name}_y"])],
        name,
        [],
        [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)],
    )


REFUSED = {
    "foreign": (
        make([helper.make_node("Magic", ["x"], ["y"], name="m", domain="acme")]),
        r"node 'm' \(Magic\).*'acme'",
    ),
    "unnamed": (make([helper.make_node("Magic", ["x"], ["y"], domain="acme")]), r"the Magic that makes 'y'"),
    "unknown": (make([node("Magic", ["x"], ["y"])]), "ONNX Runtime refuses it: .*Magic"),
    "old": (make([CONV], weights={"w": KERNEL}, opset=6), "is of opset 6: opsets 7 to 21"),
    "new": (make([CONV], weights={"w": KERNEL}, opset=23), "is of opset 23"),
    "nan": (make([CONV], weights={"w": np.full_like(KERNEL, np.nan)}), "weight 'w' is not finite"),
    "bytes": (make([CONV], weights={"w": KERNEL}, kind=TensorProto.UINT8), "input 'x' is UINT8: must be FLOAT"),
    "flat": (make([node("Relu", ["x"], ["y"])], shape=(1, 192)), r"shape \[1, 192\]: must be a batch of pictures"),
    "batch": (make([CONV], weights={"w": KERNEL}, shape=(4, 3, 8, 8)), "takes 4 pictures at once"),
    "channels": (make([node("Relu", ["x"], ["y"])], shape=(1, 8, 8, 8)), "can't tell its channels"),
    "two": (make([node("Add", ["x", "z"], ["y"])], inputs=("x", "z")), r"has 2 inputs \('x', 'z'\)"),
    "none": (make([node("Relu", ["w"], ["y"])], inputs=("w",), weights={"w": KERNEL}), r"has 0 inputs \(none\)"),
    "cycle": (
        make(
            [
                helper.make_node("Add", ["x", "b"], ["a"]),
                helper.make_node("Relu", ["a"], ["b"]),
                node("Neg", ["b"], ["y"]),
            ]
        ),
        "ONNX Runtime refuses it",
    ),
    "quantised": (
        make(
            [node("QuantizeLinear", ["x", "s"], ["q"]), node("DequantizeLinear", ["q", "s"], ["y"])],
            weights={"s": np.full((), 0.1, np.float32)},
        ),
        r"node 'the_QuantizeLinear' .*: is quantised already",
    ),
    "branches": (
        make(
            [
                node("ReduceMax", ["x"], ["m"], keepdims=0),
                node("Greater", ["m", "zero"], ["c"]),
                node("If", ["c"], ["y"], then_branch=branch("then"), else_branch=branch("else")),
            ],
            weights={"zero": np.zeros((), np.float32)},
        ),
        r"node 'the_If' \(If\): decides while it runs",
    ),
    "depends": (
        make([node("NonZero", ["x"], ["i"]), node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)]),
        r"node 'the_NonZero' \(NonZero\): the shape of its output depends on the picture",
    ),
    "shape": (make([CONV], weights={"w": RNG.normal(size=(2, 4, 3, 3)).astype(np.float32)}), "fails when it runs"),
}


@pytest.mark.parametrize(("model", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_quantised_is_refused_by_name(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(ModelError, match=rf"^x\.onnx: .*{reason}"):
        canonical(model, "x.onnx")


def test_another_size_than_the_networks_own_is_refused() -> None:
    with pytest.raises(ModelError, match=r"takes pictures of \[1, 3, 8, 8\] only, 16x8 is asked for"):
        canonical(make([CONV], weights={"w": KERNEL}), "x.onnx", size=(16, 8))
