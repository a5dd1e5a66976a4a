"""The rules of TensorRT, on graphs made by hand and on what peers' quantisers write."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType

from edge.cli import main
from quantize.rules import jetson

if TYPE_CHECKING:
    from pathlib import Path


RNG = np.random.default_rng(0)
KERNEL = RNG.integers(-127, 128, (8, 4, 3, 3)).astype(np.int8)
S, Z = np.array(0.1, np.float32), np.array(0, np.int8)
SW, ZW = np.full(8, 0.01, np.float32), np.zeros(8, np.int8)


def quantised(name: str, scale: str = "s", zero: str = "z") -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [name, scale, zero], [f"{name}_q"], name=f"{name}/Q"),
        helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [f"{name}_d"], name=f"{name}/DQ"),
    ]


WEIGHT = helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["w_d"], name="w/DQ", axis=0)
CONV = helper.make_node("Conv", ["x_d", "w_d", "b"], ["c"], name="conv", pads=[1, 1, 1, 1])
RELU = helper.make_node("Relu", ["c"], ["y"], name="relu")


def graph(nodes: list[onnx.NodeProto], **constants: Any) -> onnx.ModelProto:
    held: dict[str, Any] = {
        "s": S,
        "z": Z,
        "sw": SW,
        "zw": ZW,
        "w": KERNEL,
        "b": np.zeros(8, np.float32),
    } | constants
    channels = held["w"].shape[1]
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, channels, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", "c", "h", "w"))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def found(model: onnx.ModelProto) -> Counter[str]:
    return Counter(finding.rule.name for finding in jetson.check_graph(model))


GOOD = [*quantised("x"), WEIGHT, CONV, RELU]


def test_a_graph_that_keeps_to_the_rules_has_no_findings() -> None:
    model = graph(GOOD)
    onnx.checker.check_model(model, full_check=True)
    assert not jetson.check_graph(model)


@pytest.mark.parametrize(
    ("changed", "rule", "node"),
    [
        ({"s": np.float32(0).reshape(())}, "positive-scale", "x/Q"),
        ({"z": np.int8(3).reshape(())}, "zero-point", "x/Q"),
        ({"z": np.uint8(0).reshape(())}, "signed", "x/Q"),
        ({"sw": S, "zw": Z}, "per-channel-weights", "conv"),
        ({"w": KERNEL[:, :3]}, "input-channels", "conv"),
    ],
)
def test_each_fault_of_a_constant_is_found_where_it_is(changed: dict[str, Any], rule: str, node: str) -> None:
    findings = jetson.check_graph(graph(GOOD, **changed))
    assert {f.rule.name for f in findings} == {rule}
    assert findings[0].node == node
    assert all(f.what and f.rule.instead and f.rule.source for f in findings)


def swap(old: onnx.NodeProto, *new: onnx.NodeProto) -> list[onnx.NodeProto]:
    return [one for node in GOOD for one in (new if node is old else (node,))]


BIAS = helper.make_node("DequantizeLinear", ["b32", "sw"], ["b_d"], name="b/DQ", axis=0)
RELU_ON_QUANTISED = helper.make_node("Relu", ["c_d"], ["y"], name="relu")
SKIP = helper.make_node("Add", ["c", "c2"], ["y"], name="add")


@pytest.mark.parametrize(
    ("nodes", "constants", "rules"),
    [
        pytest.param(
            swap(CONV, BIAS, helper.make_node("Conv", ["x_d", "w_d", "b_d"], ["c"], name="conv", pads=[1] * 4)),
            {"b32": np.zeros(8, np.int32)},
            {"float-bias": 1},
            id="int32-bias",
        ),
        pytest.param(
            swap(WEIGHT, helper.make_node("DequantizeLinear", ["w", "s4", "z4"], ["w_d"], name="w/DQ", axis=1)),
            {"s4": np.full(4, 0.01, np.float32), "z4": np.zeros(4, np.int8)},
            {"granularity": 1},
            id="weights-along-inputs",
        ),
        pytest.param(
            [*quantised("x", "s4", "z4"), *GOOD[2:]],
            {"s4": np.full(4, 0.01, np.float32), "z4": np.zeros(4, np.int8)},
            {"granularity": 1},
            id="activation-per-channel",
        ),
        pytest.param(
            [WEIGHT, helper.make_node("Conv", ["x", "w_d", "b"], ["y"], name="conv")], {}, {"both-inputs": 1}, id="half"
        ),
        pytest.param(
            [*GOOD[:4], *quantised("c"), RELU_ON_QUANTISED],
            {},
            {"activation-fusion": 1},
            id="quantiser-before-activation",
        ),
        pytest.param(
            [*GOOD[:4], *quantised("c"), helper.make_node("Identity", ["c_d"], ["c2"]),
             helper.make_node("Add", ["c_d", "c_d"], ["y"], name="add")],
            {},
            {"skip-branch": 1},
            id="both-branches",
        ),
        pytest.param(
            [*GOOD[:4], helper.make_node("Neg", ["c"], ["c2"]), SKIP], {}, {"skip-branch": 1}, id="float-skip"
        ),
        pytest.param(
            [*quantised("x"), *quantised("t", "s2"), helper.make_node("Neg", ["x"], ["t"]),
             helper.make_node("Concat", ["x_d", "t_d"], ["y"], name="concat", axis=1)],
            {"s2": np.float32(0.2).reshape(())},
            {"shared-scale": 1},
            id="two-scales",
        ),
        pytest.param(
            [*quantised("x"), helper.make_node("Concat", ["x_d", "x"], ["y"], name="concat", axis=1)],
            {},
            {"shared-scale": 1},
            id="half-a-concatenation",
        ),
        pytest.param(
            swap(RELU, helper.make_node("Gelu", ["c"], ["y"], name="g", domain="com.microsoft")),
            {},
            {"standard-operators": 1},
            id="foreign",
        ),
    ],
)  # fmt: skip
def test_each_fault_of_the_wiring_is_found(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], rules: dict[str, int]
) -> None:
    assert found(graph(nodes, **constants)) == rules


class Noise(CalibrationDataReader):  # type: ignore[misc] # it has no types
    def __init__(self, size: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        self._left = [{"picture": rng.normal(size=(1, 3, *size)).astype(np.float32)} for _ in range(4)]

    def get_next(self) -> dict[str, Any] | None:
        return self._left.pop() if self._left else None


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({}, {"zero-point", "float-bias"}),
        ({"per_channel": True, "activation_type": QuantType.QUInt8}, {"signed", "float-bias"}),
        (
            {
                "per_channel": True,
                "extra_options": {
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "AddQDQPairToWeight": True,
                },
            },
            {"activation-fusion", "input-channels"},
        ),
    ],
    ids=["default", "per-channel", "symmetric"],
)
def test_the_known_faults_of_a_peers_files_are_found(
    network: Path, tmp_path: Path, options: dict[str, Any], rules: set[str]
) -> None:
    shape = onnx.load(network).graph.input[0].type.tensor_type.shape.dim
    quantization.quantize_static(
        network,
        tmp_path / "peer.onnx",
        Noise((shape[2].dim_value, shape[3].dim_value)),
        quant_format=QuantFormat.QDQ,
        activation_type=options.pop("activation_type", QuantType.QInt8),
        weight_type=QuantType.QInt8,
        **options,
    )
    assert set(found(onnx.load(tmp_path / "peer.onnx"))) >= rules


def test_a_float_network_has_nothing_to_be_found(network: Path) -> None:
    assert not jetson.check_graph(onnx.load(network))


def test_the_command_tells_the_first_node_of_each_kind_and_what_to_write_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(graph(GOOD, z=np.array(3, np.uint8)), tmp_path / "bad.onnx")
    assert main(["lint", str(tmp_path / "bad.onnx"), "--target", "jetson"]) == 1
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[1].split() == ["zero-point", "x/Q", "2", "has", "the", "zero", "point", "3"]
    assert lines[2].split() == ["signed", "x/Q", "2", "is", "uint8"]
    assert "zero-point: jetson asks for zero points of 0: quantise symmetrically (onnx-tensorrt" in told.out
    assert "jetson would refuse" in told.err
    assert main(["lint", str(tmp_path / "bad.onnx"), "--target", "jetson", "--all"]) == 1
    assert capsys.readouterr().out.count("zero point 3") == 2


def test_what_only_costs_speed_is_told_but_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(graph([*GOOD[:4], *quantised("c"), RELU_ON_QUANTISED]), tmp_path / "slow.onnx")
    assert main(["lint", str(tmp_path / "slow.onnx"), "--target", "jetson"]) == 0
    assert "activation-fusion" in capsys.readouterr().out


def test_what_is_no_onnx_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.onnx").write_bytes(b"hello")
    assert main(["lint", str(tmp_path / "x.onnx"), "--target", "jetson"]) == 2
    assert "x.onnx: not a valid ONNX file" in capsys.readouterr().err
