"""What the Edge TPU maps, held against files that its own compiler made, and rule by rule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from edge.errors import ModelError
from models.checkpoint import Checkpoint, build_network
from models.export import export
from models.recipe import Recipe
from quantize.flat_file import FlatFile, parse_flat, read_flat
from quantize.fold import fold
from quantize.rules import Rule, check, coral
from quantize.targets import Network, create
from quantize.tflite import write_tflite
from quantize.toy import toy_card, toy_network
from tests.conftest import SHARED
from tests.models.toy import TOY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quantize.flat_file import FlatGraph


def third_party() -> Path:
    folder = SHARED / "models"
    if not folder.is_dir():
        pytest.skip("needs the third-party models in ../shared/data/models")
    return folder


@pytest.mark.parametrize("name", ["deeplabv3_mnv2_dm05_pascal_quant", "prisma_quant"])
def test_what_is_mapped_is_what_the_compiler_mapped(name: str) -> None:
    models = third_party()
    original, compiled = (read_flat(models / f"{name}{ending}.tflite") for ending in ("", "_edgetpu"))
    on_chip = len(original.operators) - (len(compiled.operators) - 1)
    assert coral.mapped(original) == on_chip
    left = [operator.name for operator in compiled.operators[1:]]
    assert [operator.name for operator in original.operators[on_chip:]] == left


def test_float_files_and_half_quantised_ones_do_not_map() -> None:
    models = third_party()
    for name in ("prisma-net", "prisma-net_uint8", "selfie_segmentation", "mnv3_seg_float"):
        graph = read_flat(models / f"{name}.tflite")
        assert coral.mapped(graph) == 0
        assert coral.check_graph(graph)[0].rule == coral.INTEGERS
    nearest = check(models / "yolov8n-seg_int8.tflite", "coral")
    assert {finding.rule.name for finding in nearest} >= {"before-the-network", "version", "softmax"}


def one(
    name: str,
    given: tuple[int, ...] = (1, 8, 8, 4),
    made: tuple[int, ...] = (1, 8, 8, 4),
    constants: tuple[np.ndarray, ...] = (),
    version: int = 2,
    **options: Any,
) -> FlatGraph:
    """Read back a file of one integer operator."""
    file = FlatFile("one")
    places = [file.tensor("x", given, np.int8, 0.1)]
    places += [file.constant(f"c{i}", c, 0.1 if c.dtype == np.int8 else None) for i, c in enumerate(constants)]
    result = file.tensor("y", made, np.int8, 0.1)
    file.operator(name, version, places, [result], **options)
    return parse_flat(file.packed(places[:1], [result]), "one")


SIZE = np.array([16, 16], np.int32)
KERNEL = np.zeros((4, 3, 3, 4), np.int8)
BIAS = np.zeros(4, np.int32)


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (lambda: one("RELU"), None),
        (lambda: one("HARD_SWISH"), coral.OPERATOR),
        (lambda: one("RESIZE_NEAREST_NEIGHBOR", made=(1, 16, 16, 4), constants=(SIZE,)), None),
        (lambda: one("RESIZE_NEAREST_NEIGHBOR", made=(1, 16, 16, 4), constants=(SIZE,), version=3), coral.VERSION),
        (lambda: one("RESIZE_BILINEAR", made=(1, 64, 64, 4), constants=(4 * SIZE,), version=3), coral.RESIZE),
        (lambda: one("SOFTMAX", given=(1, 80, 80, 4), made=(1, 80, 80, 4)), coral.SOFTMAX),
        (
            lambda: one("MAX_POOL_2D", table="Pool2DOptions", fusedActivationFunction=1),
            coral.ACTIVATION,
        ),
        (
            lambda: one(
                "CONV_2D",
                constants=(KERNEL, BIAS),
                version=3,
                table="Conv2DOptions",
                dilationHFactor=2,
                dilationWFactor=1,
            ),
            coral.DILATION,
        ),
        (lambda: one("CONV_2D", constants=(KERNEL[..., :2], BIAS), version=3), coral.GROUPS),
        (lambda: one("CONV_2D", constants=(KERNEL.astype(np.float32), BIAS), version=3), coral.INTEGERS),
        (lambda: one("STRIDED_SLICE"), coral.STRIDE),
    ],
)
def test_each_rule(graph: Callable[[], FlatGraph], rule: Rule | None) -> None:
    found = {finding.rule for finding in coral.check_graph(graph())}
    assert found == ({rule, coral.PART} if rule else set())


@pytest.mark.parametrize("arch", ["loupenet", "unet", "deeplabv3plus", "fcn"])
def test_the_classrooms_networks_map_before_they_are_trained(arch: str, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(TOY | {"arch": {"name": arch, "width": 0.5}})
    export(Checkpoint(recipe, build_network(recipe).state_dict(), 1, 0.0), tmp_path / "net.onnx")
    for target in ("coral", "cpu", "openvino"):
        assert not [finding for finding in check(tmp_path / "net.onnx", target) if finding.rule.breaks]


def test_an_operator_that_no_integers_know_is_named(tmp_path: Path) -> None:
    model = toy_network()
    relu = next(node for node in model.graph.node if node.op_type == "Clip")
    relu.op_type, relu.input[:] = "Elu", relu.input[:1]
    onnx.save(model, tmp_path / "elu.onnx")
    (finding,) = check(tmp_path / "elu.onnx", "cpu")
    assert (finding.node, finding.what) == ("relu6", "Elu has no integer form")
    with pytest.raises(ModelError, match=r"node 'relu6' \(Elu\)"):
        check(tmp_path / "elu.onnx", "coral")
    (kept,) = check(tmp_path / "elu.onnx", "openvino")
    assert not kept.rule.breaks


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = write_tflite(fold(toy_network(), toy_card()), None)
    rng, told = np.random.default_rng(0), []
    for _ in range(100):
        damaged = bytearray(whole[: rng.integers(8, len(whole))])
        for place in rng.integers(8, len(damaged), 20):
            damaged[place] = rng.integers(256)
        (tmp_path / "x.tflite").write_bytes(damaged)
        try:
            read_flat(tmp_path / "x.tflite")
        except ModelError as error:
            told.append(str(error))
    assert len(told) > 50
    assert all("x.tflite" in line and "\n" not in line for line in told)


COMPILER = """#!/bin/sh
for last; do :; done
while [ "$1" != --out_dir ]; do shift; done
base=$(basename "$last" .tflite)
cp "$last" "$2/${base}_edgetpu.tflite"
echo "Number of operations that will run on Edge TPU: $MAPPED"
echo "Number of operations that will run on CPU: 5"
exit $CODE
"""


@pytest.mark.parametrize(("mapped", "code", "told"), [(99, 0, ""), (1, 0, "maps 1 operators"), (99, 1, "refuses it")])
def test_where_the_compiler_is_installed_it_is_run(
    mapped: int, code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edgetpu_compiler").write_text(COMPILER, encoding="utf-8")
    (tmp_path / "edgetpu_compiler").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("MAPPED", str(mapped))
    monkeypatch.setenv("CODE", str(code))
    onnx.save(fold(toy_network(), toy_card()), tmp_path / "folded.onnx")
    pictures = [np.full((96, 160, 3), value, np.uint8) for value in (40, 200)]
    made = create("coral").candidates(Network(tmp_path / "folded.onnx", pictures), tmp_path / "out")
    if told:
        with pytest.raises(ModelError, match=told):
            next(made)
    else:
        candidate = next(made)
        assert candidate.shipped is not None
        assert (candidate.entry.name, candidate.shipped.name) == ("model.tflite", "model_edgetpu.tflite")
