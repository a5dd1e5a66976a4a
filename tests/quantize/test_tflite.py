"""Every operator that is written to TFLite computes there what it computes in ONNX, in integers and in float."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edge import runtimes
from edge.errors import ModelError
from models.card import CardInput, ModelCard
from models.recipe import ClassSpec
from quantize.canonical import canonical
from quantize.equalise import equalise
from quantize.fold import fold
from quantize.plan import make_plan, observe
from quantize.qdq import write_qdq
from quantize.tflite import STYLE, write_tflite
from quantize.windows import nearest_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.picture import Picture

    Step = tuple[str, Sequence[np.ndarray | str], dict[str, Any]]

SIZE = 26
RNG = np.random.default_rng(3)
CHANNELS = 6


def kernel(*shape: int) -> np.ndarray:
    return RNG.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)


BIAS = RNG.normal(0, 0.3, CHANNELS).astype(np.float32)
C = CHANNELS


def conv(shape: tuple[int, ...], **options: Any) -> Step:
    return ("Conv", [kernel(*shape), BIAS[: shape[0]] if shape[0] <= C else kernel(shape[0])], options)


def turned(shape: tuple[int, ...], **options: Any) -> Step:
    return ("ConvTranspose", [kernel(*shape), BIAS], options)


def bounds(low: float, high: float) -> list[np.ndarray]:
    return [np.array(low, np.float32), np.array(high, np.float32)]


def resize(factor: float, **options: str) -> Step:
    return ("Resize", ["", np.array([1, 1, factor, factor], np.float32)], options)


MEAN: Step = ("ReduceMean", [np.array([2, 3], np.int64)], {"keepdims": 1})

CASES: dict[str, list[Step]] = {
    "convolution, padded alike on all sides, stride 2": [conv((C, C, 3, 3), pads=[1] * 4, strides=[2, 2])],
    "convolution, padded at the end": [conv((C, C, 3, 3), pads=[0, 0, 1, 1], strides=[2, 2])],
    "convolution, padded at the start": [conv((C, C, 3, 3), pads=[1, 1, 0, 0])],
    "convolution, not padded": [conv((C, C, 3, 3))],
    "convolution, of odd size": [conv((C, C, 2, 5), pads=[0, 2, 0, 2], strides=[3, 1])],
    "convolution, dilated": [conv((C, C, 3, 3), pads=[2] * 4, dilations=[2, 2])],
    "depthwise": [conv((C, 1, 3, 3), pads=[1] * 4, group=C)],
    "depthwise, stride 2": [conv((C, 1, 3, 3), pads=[1] * 4, strides=[2, 2], group=C)],
    "depthwise, twice the channels": [conv((2 * C, 1, 3, 3), pads=[1] * 4, group=C), conv((C, 2 * C, 1, 1))],
    "in groups": [conv((C, C // 2, 3, 3), pads=[1] * 4, group=2)],
    "relu": [conv((C, C, 1, 1)), ("Relu", [], {})],
    "relu6": [conv((C, C, 1, 1)), ("Clip", bounds(0, 6), {})],
    "bounds of 0 and 1": [conv((C, C, 1, 1)), ("Clip", bounds(0, 1), {})],
    "bounds of -1 and 1": [conv((C, C, 1, 1)), ("Clip", bounds(-1, 1), {})],
    "an activation on its own": [("Concat", ["x"], {"axis": 1}), ("Relu", [], {}), conv((C, 2 * C, 1, 1))],
    "transposed, 2x2": [turned((C, C, 2, 2), strides=[2, 2])],
    "transposed, 4x4": [turned((C, C, 4, 4), strides=[2, 2], pads=[1] * 4)],
    "transposed, 3x3, cut": [turned((C, C, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1])],
    "transposed, 3x3, cut at the start": [turned((C, C, 3, 3), strides=[2, 2], pads=[1, 1, 0, 0]), ("Relu", [], {})],
    "transposed, 3x3, padded after": [turned((C, C, 3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])],
    "bounds of -0.5 and 2": [conv((C, C, 1, 1)), ("Clip", bounds(-0.5, 2), {})],
    "bounds of 0.2 and 3": [conv((C, C, 1, 1)), ("Clip", bounds(0.2, 3), {})],
    "other bounds on their own": [
        ("Concat", ["x"], {"axis": 1}),
        ("Clip", bounds(-0.4, 1), {}),
        conv((C, 2 * C, 1, 1)),
    ],
    "pooled": [("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]})],
    "pooled, padded": [("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4})],
    "averaged": [("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]})],
    "averaged, padding left out": [("AveragePool", [], {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4})],
    "averaged, padding counted": [
        ("AveragePool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "count_include_pad": 1})
    ],
    "added": [conv((C, C, 1, 1)), ("Add", ["x"], {}), ("Relu", [], {})],
    "a constant added": [("Add", [RNG.normal(0, 1, (1, C, 1, 1)).astype(np.float32)], {})],
    "taken away": [conv((C, C, 1, 1)), ("Sub", ["x"], {})],
    "gated": [MEAN, conv((C, C, 1, 1)), ("Sigmoid", [], {}), ("Mul", ["x"], {})],
    "the mean of all, spread out": [("GlobalAveragePool", [], {}), ("Add", ["x"], {})],
    "joined": [conv((C, C, 1, 1)), ("Concat", ["x"], {"axis": 1}), conv((C, 2 * C, 1, 1))],
    "doubled, nearest": [resize(2, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
    "doubled, nearest by centres": [resize(2, mode="nearest", coordinate_transformation_mode="half_pixel")],
    "doubled, linear": [resize(2, mode="linear", coordinate_transformation_mode="half_pixel")],
    "doubled, corners aligned": [resize(2, mode="linear", coordinate_transformation_mode="align_corners")],
    "doubled, linear from corners": [resize(2, mode="linear", coordinate_transformation_mode="asymmetric")],
    "padded": [("Pad", [np.array([0, 0, 1, 2, 0, 0, 3, 4], np.int64)], {})],
}


def network(
    steps: Sequence[Step],
    colour_order: str = "BGR",
    *,
    first: Step | None = None,
    mean: tuple[float, float, float] = (110, 110, 110),
) -> onnx.ModelProto:
    """Fold a convolution, the steps and a convolution to three logits; "x" in a step is what the first one makes."""
    card = ModelCard(
        name="steps",
        classes=tuple(ClassSpec(name=name, index=index) for index, name in enumerate("abc")),
        focus="c",
        input=CardInput(width=SIZE, height=SIZE, mean=mean, std=(60, 58, 62), colour_order=colour_order),
        arch="steps",
        epochs=0,
        val_score=None,
        licence="Apache-2.0",
        data="made by hand",
    )
    head = (3 * kernel(3, CHANNELS, 1, 1), np.array([0.1, 0.0, -0.1], np.float32))
    begin = first or ("Conv", [kernel(CHANNELS, 3, 3, 3), BIAS], {"pads": [1] * 4})
    nodes, weights, flows = [], [], "picture"
    for number, (kind, inputs, options) in enumerate([begin, *steps, ("Conv", head, {})]):
        names = []
        for place, given in enumerate(inputs):
            names.append(
                "x" if isinstance(given, str) and given else "" if isinstance(given, str) else f"{number}.{place}"
            )
            if isinstance(given, np.ndarray):
                weights.append(numpy_helper.from_array(given, names[-1]))
        made = "x" if number == 0 else f"made{number}"
        nodes.append(helper.make_node(kind, [flows, *names], [made], name=f"step{number}", **options))
        flows = made
    graph = helper.make_graph(
        nodes,
        "steps",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info(flows, TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return fold(canonical(onnx.shape_inference.infer_shapes(model), "steps"), card)


def pictures(count: int = 6) -> list[Picture]:
    rough = np.random.default_rng(0).integers(0, 256, (count, 7, 7, 3), np.uint8)
    return [np.kron(one, np.ones((4, 4, 1), np.uint8))[:SIZE, :SIZE] for one in rough]


def run(runtime: str, path: Path, content: bytes, given: Sequence[Picture]) -> np.ndarray:
    """Give classes and scores of all pictures, (pictures, 2, h, w)."""
    path.write_bytes(content)
    with runtimes.create(runtime, path, threads=1) as opened:
        return np.stack([np.stack(opened.infer(picture)) for picture in given]).astype(int)


def assert_alike(found: np.ndarray, wanted: np.ndarray, levels: float) -> None:
    """The classes are the same wherever one is clearly ahead, and so are the scores, on average, up to some levels."""
    assert found.shape == wanted.shape
    clear = wanted[:, 1] > 255 / 2 + 20
    assert clear.mean() > 0.3
    assert np.mean((found[:, 0] == wanted[:, 0])[clear]) > 0.995
    assert np.mean(np.abs(found[:, 1] - wanted[:, 1])) <= levels


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_what_it_does_in_onnx(name: str, tmp_path: Path) -> None:
    shown, model = pictures(), equalise(network(CASES[name]), pictures())
    plan = make_plan(model, observe(model, shown), STYLE)
    in_float = run("onnxruntime", tmp_path / "float.onnx", model.SerializeToString(), shown)
    assert_alike(run("litert", tmp_path / "float.tflite", write_tflite(model, None), shown), in_float, 0.1)
    rounded = run("onnxruntime", tmp_path / "int8.onnx", write_qdq(model, plan).SerializeToString(), shown)
    assert_alike(run("litert", tmp_path / "int8.tflite", write_tflite(model, plan), shown), rounded, 2)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("first", [0, 1])
def test_every_other_layer_can_stay_in_float(name: str, first: int, tmp_path: Path) -> None:
    shown, model = pictures(), equalise(network(CASES[name]), pictures())
    plan = make_plan(model, observe(model, shown), STYLE)
    in_float = run("onnxruntime", tmp_path / "float.onnx", model.SerializeToString(), shown)
    found = [
        run("litert", tmp_path / "mixed.tflite", write_tflite(model, plan.sparing(spared)), shown)
        for spared in ((), plan.layers[first::2], plan.layers)
    ]
    errors = [np.mean(np.abs(one[:, 1] - in_float[:, 1])) for one in found]
    assert errors[1] < errors[0] + 1
    assert_alike(found[2], in_float, 0.1)


@pytest.mark.parametrize("order", ["BGR", "RGB"])
@pytest.mark.parametrize("group", [1, 3])
def test_pictures_are_normalised_whatever_the_first_layer_is(order: str, group: int, tmp_path: Path) -> None:
    """Where the first layer does it, all colours are padded with one number: the edge is left out."""
    first: Step = ("Conv", [kernel(CHANNELS, 3 // group, 3, 3), BIAS], {"pads": [1] * 4, "group": group})
    shown = pictures()
    model = equalise(network([], order, first=first, mean=(124, 110, 101)), shown)
    wanted = run("onnxruntime", tmp_path / "float.onnx", model.SerializeToString(), shown)
    plan = make_plan(model, observe(model, shown), STYLE)
    found = run("litert", tmp_path / "int8.tflite", write_tflite(model, plan), shown)
    inside = np.s_[:, :, 1:-1, 1:-1]
    assert_alike(found[inside], wanted[inside], 5)
    integers = write_qdq(model, plan)
    assert_alike(run("onnxruntime", tmp_path / "int8.onnx", integers.SerializeToString(), shown), found, 2)
    assert all(node.op_type != "Sub" for node in integers.graph.node) == (group == 1)  # pixels go in as they are
    assert_alike(run("litert", tmp_path / "float.tflite", write_tflite(model, None), shown), wanted, 0.1)


def test_a_bias_that_no_integer_holds_makes_its_channels_steps_grow(tmp_path: Path) -> None:
    weights, bias = kernel(CHANNELS, CHANNELS, 1, 1), BIAS.copy()
    weights[0], bias[0] = 1e-9, 1.0
    shown, model = pictures(), equalise(network([("Conv", [weights, bias], {})]), pictures())
    wanted = run("onnxruntime", tmp_path / "float.onnx", model.SerializeToString(), shown)
    content = write_tflite(model, make_plan(model, observe(model, shown), STYLE))
    assert_alike(run("litert", tmp_path / "int8.tflite", content, shown), wanted, 5)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([("Elu", [], {})], r"node 'step1' \(Elu\): TFLite has no integer operator"),
        ([turned((C, C, 3, 3), strides=[2, 2], output_padding=[1, 1])], "adds no rows or columns"),
        ([turned((C, 1, 3, 3), group=C)], "no grouped or dilated"),
        ([resize(2, mode="cubic")], "not cubic"),
        ([("MaxPool", [], {"kernel_shape": [3, 3], "dilations": [2, 2]})], "without dilation"),
        ([resize(1.5, mode="nearest", nearest_mode="ceil", coordinate_transformation_mode="asymmetric")], "no nearest"),
    ],
)
def test_what_tflite_can_not_do_is_refused_by_the_nodes_name(steps: list[Step], told: str) -> None:
    model = network(steps)
    with pytest.raises(ModelError, match=told):
        write_tflite(model, make_plan(model, observe(model, pictures(2)), STYLE))


@pytest.mark.parametrize("grid", ["asymmetric", "half_pixel", "align_corners"])
@pytest.mark.parametrize("rule", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_nearest_pixels_are_those_of_onnx(grid: str, rule: str) -> None:
    for made in (3, 7, 10, 20):
        options = {"mode": "nearest", "coordinate_transformation_mode": grid, "nearest_mode": rule}
        node = helper.make_node("Resize", ["x", "", "", "size"], ["y"], **options)
        graph = helper.make_graph(
            [node],
            "resize",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 1, 10))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array([1, 1, 1, made], np.int64), "size")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        session = ReferenceEvaluator(model)
        wanted = np.concatenate(list(session.run(None, {"x": np.arange(10, dtype=np.float32).reshape(1, 1, 1, 10)})))
        assert np.array_equal(nearest_pixels(10, made, grid, rule), wanted.ravel())
