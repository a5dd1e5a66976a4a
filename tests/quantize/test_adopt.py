"""Networks that were trained elsewhere: cut back to logits, given a card, and quantised like our own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge import runtimes
from edge.cli import main
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from quantize.fold import fold, load_model
from quantize.targets import Network, create
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

CARD = """\
name: theirs
classes: [{name: good}, {name: spot}]
focus: spot
input: {width: 64, height: 32, mean: [0, 0, 0], std: [255, 255, 255], colour_order: BGR}
licence: MIT
data: somebody's pictures
"""

RNG = np.random.default_rng(0)


def network(path: Path, channels: int, *ending: tuple[str, dict[str, Any]], kind: str = "Conv") -> Path:
    """Write a convolution to so many channels and what comes behind it."""
    shape = (channels, 3, 3, 3) if kind == "Conv" else (3, channels, 2, 2)
    weights = RNG.normal(0, 1, shape).astype(np.float32)
    options: dict[str, Any] = {"pads": [1] * 4} if kind == "Conv" else {"strides": [2, 2]}
    nodes = [helper.make_node(kind, ["x", "w"], ["y0"], name="layer", **options)]
    for number, (name, attributes) in enumerate(ending):
        nodes.append(helper.make_node(name, [f"y{number}"], [f"y{number + 1}"], name=name.lower(), **attributes))
    last = nodes[-1].op_type
    made = TensorProto.UINT8 if last == "Cast" else TensorProto.INT64 if last == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 3, 32, 64))],
        [helper.make_tensor_value_info(nodes[-1].output[0], made, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def adopted(model: Path, capsys: pytest.CaptureFixture[str], card: str = CARD) -> tuple[int, str]:
    (model.parent / "card.yaml").write_text(card, encoding="utf-8")
    output = model.parent / "ours.onnx"
    code = main(["adopt", str(model), str(model.parent / "card.yaml"), "-o", str(output)])
    assert output.exists() == (code == 0)
    return code, capsys.readouterr().err


ENDINGS: dict[str, tuple[tuple[str, dict[str, int]], ...]] = {
    "logits": (),
    "probabilities": (("Softmax", {"axis": 1}),),
    "classes": (("Softmax", {"axis": 1}), ("ArgMax", {"axis": 1}), ("Cast", {"to": TensorProto.UINT8})),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_it_ends_in_it_gives_the_same_classes(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(tmp_path / "theirs.onnx", 2, *ENDINGS[ending])
    assert adopted(model, capsys)[0] == 0
    graph, card = load_model(tmp_path / "ours.onnx")
    assert [node.op_type for node in graph.graph.node] == ["Conv"]
    assert (card.name, card.arch, card.focus_id) == ("theirs", "adopted", 1)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "Relu"])
def test_one_probability_becomes_two_classes(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before: tuple[tuple[str, dict[str, int]], ...] = (("Relu", {}),) if kind == "Relu" else ()
    layer = "Conv" if kind == "Relu" else kind
    model = network(tmp_path / "theirs.onnx", 1, *before, ("Sigmoid", {}), kind=layer)
    assert adopted(model, capsys)[0] == 0
    onnx.save(fold(*load_model(tmp_path / "ours.onnx")), tmp_path / "folded.onnx")
    picture = RNG.integers(0, 256, (32, 64, 3), np.uint8)
    with runtimes.create("onnxruntime", tmp_path / "folded.onnx") as runtime:
        classes, scores = runtime.infer(picture)
    given = (picture.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": given})
    assert np.array_equal(classes, (wanted[0, 0] > 0.5).astype(np.uint8))
    assert np.abs(scores - 255 * np.maximum(wanted, 1 - wanted)[0, 0]).max() < 1
    small = next(create("jetson").candidates(Network(tmp_path / "folded.onnx", [picture]), tmp_path / "jetson"))
    with runtimes.create("onnxruntime", small.entry, threads=1) as runtime:
        assert (runtime.infer(picture)[0] == classes).mean() > 0.95


@pytest.mark.parametrize(
    ("channels", "ending", "told"),
    [
        (3, (), r"gives \[1, 3, 32, 64\]: must be one output of logits \(1, 2, h, w\)"),
        (2, (("Sigmoid", {}),), "ends in one sigmoid per class"),
        (2, (("Softmax", {"axis": 2}),), r"node 'softmax' \(Softmax\): decides along another axis"),
        (2, (("Flatten", {}),), "must be a map of classes"),
    ],
)
def test_what_does_not_fit_its_card_is_refused(
    channels: int,
    ending: tuple[tuple[str, dict[str, int]], ...],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, error = adopted(network(tmp_path / "theirs.onnx", channels, *ending), capsys)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert re.search(told, error), error


def test_a_card_that_says_too_little_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = network(tmp_path / "theirs.onnx", 2)
    code, error = adopted(model, capsys, CARD.replace("licence: MIT\n", "").replace("focus: spot", "focus: rust"))
    assert code == 2
    assert "card.yaml" in error
    assert "licence" in error


def test_a_third_partys_portrait_network_keeps_its_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = SHARED / "models"
    if not models.is_dir():
        pytest.skip("needs the third-party models in ../shared/data/models")
    (tmp_path / "theirs.onnx").write_bytes((models / "prisma_nchw.onnx").read_bytes())
    card = CARD.replace("width: 64, height: 32", "width: 256, height: 256").replace(", colour_order: BGR", "")
    assert adopted(tmp_path / "theirs.onnx", capsys, card)[0] == 0
    onnx.save(fold(*load_model(tmp_path / "ours.onnx")), tmp_path / "folded.onnx")
    names = ("grace_hopper.bmp", "pc2_img_person.png", "bird_segmentation.bmp")
    pictures = [prepare(read_picture(models / "samples" / name), 256, 256) for name in names]
    with runtimes.create("onnxruntime", tmp_path / "folded.onnx") as runtime:
        person = runtime.infer(pictures[0])[0]
    expected = cv2.imread(str(models / "expected" / "prisma_nchw.onnx.png"), cv2.IMREAD_GRAYSCALE)
    assert (person == expected).mean() > 0.995
    for name in ("cpu", "jetson"):
        target = create(name)
        network_ = Network(tmp_path / "folded.onnx", [*pictures, *(p[:, ::-1].copy() for p in pictures)])
        candidate = next(target.candidates(network_, tmp_path / name))
        with runtimes.create(target.proven_in, candidate.entry, threads=1) as runtime:
            small = runtime.infer(pictures[0])[0]
        assert (small & person).sum() / (small | person).sum() > 0.99  # a third party's INT8 form reaches 0.989
