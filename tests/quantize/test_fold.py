"""Folding: the graph from a camera's picture to a class map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest

from edge import runtimes
from edge.errors import ModelError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from models.card import ModelCard, read_card, write_card
from quantize.fold import POST, PRE, fold, load_model, output_size, processing
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network

if TYPE_CHECKING:
    from pathlib import Path

    from edge.picture import Picture


@pytest.fixture
def folded(network: Path, tmp_path: Path) -> Path:
    path = tmp_path / "folded.onnx"
    onnx.save(fold(*load_model(network)), path)
    return path


@pytest.fixture
def picture(pictures: Path) -> Picture:
    return prepare(read_picture(pictures / "images" / "1.png"), WIDTH, HEIGHT)


def test_the_folded_graph_does_what_the_same_steps_do_in_numpy(network: Path, folded: Path, picture: Picture) -> None:
    normalised = (picture[:, :, ::-1].astype(np.float32) - 127.5) / 127.5
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    logits = np.asarray(session.run(None, {"picture": normalised.transpose(2, 0, 1)[None]})[0])[0]
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    with runtimes.create("onnxruntime", folded) as runtime:
        classes, scores = runtime.infer(picture)
    assert np.array_equal(classes, logits.argmax(axis=0))
    assert np.abs(scores.astype(int) - np.round(255 * shares.max(axis=0))).max() <= 1
    assert 0 < (classes == 1).mean() < 0.5


def test_onnxruntime_and_openvino_give_the_same_mask(folded: Path, picture: Picture) -> None:
    results = []
    for name in ("onnxruntime", "openvino"):
        with runtimes.create(name, folded, threads=1) as runtime:
            results.append(runtime.infer(picture))
    (classes_a, scores_a), (classes_b, scores_b) = results
    assert (classes_a != classes_b).mean() < 0.001
    assert np.abs(scores_a.astype(int) - scores_b).max() <= 8  # bfloat16 on processors that have it


def test_only_standard_operators_are_used_and_the_added_ones_can_be_told_apart(folded: Path) -> None:
    model = onnx.load(folded)
    assert {node.domain for node in model.graph.node} == {""}
    added = [node.op_type for node in model.graph.node if node.name.startswith((PRE, POST))]
    assert added[:5] == ["Cast", "Gather", "Transpose", "Sub", "Div"]
    assert {"ArgMax", "Softmax"} <= set(added)
    assert "Conv" not in added


def test_the_folded_file_keeps_its_card(folded: Path) -> None:
    assert read_card(onnx.load(folded), "folded") == toy_card()


def test_equal_logits_give_the_lower_class() -> None:
    model = toy_network()
    for tensor in model.graph.initializer:
        if tensor.name in ("head", "head_bias"):
            zeros = np.zeros_like(onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))
    data = fold(model, toy_card()).SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    classes, scores = session.run(None, {"picture": np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)})
    assert not np.asarray(classes).any()
    assert np.unique(np.asarray(scores)).tolist() == [128]


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_any_recent_opset_can_be_folded(opset: int) -> None:
    model = toy_network()
    model.opset_import[0].version = opset
    onnx.checker.check_model(fold(model, toy_card()), full_check=True)


def test_bgr_networks_get_no_reversal() -> None:
    card = toy_card()
    bgr = card.model_copy(update={"input": card.input.model_copy(update={"colour_order": "BGR"})})
    assert "Gather" not in [node.op_type for node in fold(toy_network(), bgr).graph.node]
    assert processing(bgr).sha256 != processing(card).sha256


def test_the_output_size_is_read_from_the_graph() -> None:
    assert output_size(toy_network()) == (HEIGHT // 2, WIDTH // 2)


def test_a_file_without_a_card_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = toy_network()
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match=r"bare\.onnx: carries no model card .*edgeloupe export"):
        load_model(tmp_path / "bare.onnx")


def test_a_card_that_breaks_a_rule_is_named(tmp_path: Path) -> None:
    model = toy_network()
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"focus":"spot"', '"focus":"dent"')
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=r"odd\.onnx: model card: .*focus must be one of good, spot"):
        load_model(tmp_path / "odd.onnx")


def test_a_network_with_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    model = toy_network()
    card = read_card(model, "toy")
    more = ModelCard.model_validate({**card.model_dump(), "classes": [*card.model_dump()["classes"], {"name": "dent"}]})
    model.metadata_props[0].value = more.model_dump_json()
    onnx.save(model, tmp_path / "three.onnx")
    with pytest.raises(ModelError, match="one channel per class"):
        load_model(tmp_path / "three.onnx")


def test_a_network_of_another_task_is_refused(tmp_path: Path) -> None:
    model = toy_network()
    write_card(model, toy_card().model_copy(update={"task": "panoptic"}))
    onnx.save(model, tmp_path / "panoptic.onnx")
    with pytest.raises(ModelError, match=r"panoptic\.onnx: is a panoptic network: devices run semantic ones only"):
        load_model(tmp_path / "panoptic.onnx")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08" + bytes(100)])
def test_a_file_that_is_no_onnx_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="not a valid ONNX file") as caught:
        load_model(tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x1c\x00\x00\x00TFL3\x14", "is a damaged TFLite file"),
        (b'<?xml version="1.0"?>\n<net name="x">', "is OpenVINO IR, which nothing turns back: export"),
        (b"PK\x03\x04", "perhaps a checkpoint: `edgeloupe export`"),
    ],
)
def test_another_format_is_named_with_what_to_do(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=told):
        load_model(tmp_path / "x.onnx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: No such file"):
        load_model(tmp_path / "none.onnx")
