"""Float TFLite files, read as ONNX: each operator against LiteRT, and real files of others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
import pytest

from edge import runtimes
from edge.cli import main
from edge.errors import ModelError
from edge.picture import read_picture
from edge.pictures.prepare import prepare
from quantize.flat_file import FlatFile
from quantize.fold import fold, load_model
from quantize.unflatten import unflatten
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
PAIR = np.array([[0, 0], [1, 2], [0, 3], [0, 0]], np.int32)


def flat(
    name: str, made: tuple[int, ...], *constants: np.ndarray, first: bool = True, other: bool = False, **options: Any
) -> bytes:
    """Write a float file of one operator over (1, 9, 10, 4)."""
    file = FlatFile("one")
    picture = file.tensor("x", (1, 9, 10, 4), np.float32)
    held = [file.constant(f"c{i}", values) for i, values in enumerate(constants)]
    places = [picture, *held] if first else [*held[:2], picture, *held[2:]]
    if other:
        places.append(file.tensor("y", (1, 9, 10, 4), np.float32))
        file.operator("RELU", 1, [picture], [places[-1]])
    result = file.tensor("z", made, np.float32)
    file.operator(name, 1, places, [result], **options)
    return file.packed([picture], [result])


def flattened() -> bytes:
    """Write a map that is made flat at the end."""
    file = FlatFile("flattened")
    picture, shape = file.tensor("x", (1, 9, 10, 4), np.float32), file.constant("shape", ints(1, 360))
    bounded, result = file.tensor("y", (1, 9, 10, 4), np.float32), file.tensor("z", (1, 360), np.float32)
    file.operator("RELU6", 1, [picture], [bounded])
    file.operator("RESHAPE", 1, [bounded, shape], [result], table="ReshapeOptions")
    return file.packed([picture], [result])


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def conv(padding: int, stride: int, bound: int = 0, dilation: int = 1, **more: int) -> dict[str, Any]:
    table = "DepthwiseConv2DOptions" if more else "Conv2DOptions"
    spread = {"dilationHFactor": dilation, "dilationWFactor": dilation}
    return {
        "table": table, "padding": padding, "strideH": stride, "strideW": stride, "fusedActivationFunction": bound,
        **spread, **more,
    }  # fmt: skip


def pool(padding: int) -> dict[str, Any]:
    return {
        "table": "Pool2DOptions", "padding": padding, "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 2,
    }  # fmt: skip


def transposed(padding: int) -> dict[str, Any]:
    return {"table": "TransposeConvOptions", "padding": padding, "strideH": 2, "strideW": 2, "first": False}


def resized(kind: str, *, corners: bool = False, half: bool = False) -> dict[str, Any]:
    return {"table": f"Resize{kind}Options", "alignCorners": corners, "halfPixelCenters": half}


ADD: dict[str, Any] = {"table": "AddOptions", "fusedActivationFunction": 0}
UP = ints(18, 30)

CASES: dict[str, bytes] = {
    "conv same": flat("CONV_2D", (1, 5, 5, 6), floats(6, 3, 3, 4), floats(6), **conv(0, 2, 3)),
    "conv valid": flat("CONV_2D", (1, 7, 8, 6), floats(6, 3, 3, 4), floats(6), **conv(1, 1, 1)),
    "conv dilated": flat("CONV_2D", (1, 9, 10, 6), floats(6, 3, 3, 4), floats(6), **conv(0, 1, 2, 2)),
    "depthwise": flat(
        "DEPTHWISE_CONV_2D", (1, 5, 5, 8), floats(1, 3, 3, 8), floats(8), **conv(0, 2, 0, depthMultiplier=2)
    ),
    "transposed same": flat("TRANSPOSE_CONV", (1, 18, 20, 6), ints(1, 18, 20, 6), floats(6, 3, 3, 4), **transposed(0)),
    "transposed valid": flat("TRANSPOSE_CONV", (1, 19, 21, 6), ints(1, 19, 21, 6), floats(6, 3, 3, 4), **transposed(1)),
    "transposed narrow": flat(
        "TRANSPOSE_CONV", (1, 18, 20, 6), ints(1, 18, 20, 6), floats(6, 1, 1, 4), **transposed(0)
    ),
    "average": flat("AVERAGE_POOL_2D", (1, 5, 5, 4), **pool(0)),
    "maximum": flat("MAX_POOL_2D", (1, 4, 5, 4), **pool(1)),
    "mean": flat("MEAN", (1, 1, 1, 4), ints(1, 2), table="ReducerOptions", keepDims=True),
    "add": flat("ADD", (1, 9, 10, 4), other=True, **ADD | {"fusedActivationFunction": 1}),
    "add a constant": flat("ADD", (1, 9, 10, 4), floats(4), **ADD),
    "multiply": flat("MUL", (1, 9, 10, 4), floats(1, 1, 1, 4), table="MulOptions"),
    "subtract": flat("SUB", (1, 9, 10, 4), np.array(2, np.float32), table="SubOptions"),
    "concatenate": flat("CONCATENATION", (1, 9, 10, 8), other=True, table="ConcatenationOptions", axis=-1),
    "pad": flat("PAD", (1, 12, 13, 4), PAIR, table="PadOptions"),
    "relu": flat("RELU", (1, 9, 10, 4)),
    "relu6": flat("RELU6", (1, 9, 10, 4)),
    "hard swish": flat("HARD_SWISH", (1, 9, 10, 4), table="HardSwishOptions"),
    "sigmoid": flat("LOGISTIC", (1, 9, 10, 4)),
    "softmax": flat("SOFTMAX", (1, 9, 10, 4), table="SoftmaxOptions", beta=1.0),
    "flattened": flattened(),
    "bilinear": flat("RESIZE_BILINEAR", (1, 18, 30, 4), UP, **resized("Bilinear")),
    "bilinear half": flat("RESIZE_BILINEAR", (1, 18, 30, 4), UP, **resized("Bilinear", half=True)),
    "bilinear corners": flat("RESIZE_BILINEAR", (1, 18, 30, 4), UP, **resized("Bilinear", corners=True)),
    "nearest": flat("RESIZE_NEAREST_NEIGHBOR", (1, 18, 30, 4), UP, **resized("NearestNeighbor")),
    "nearest half": flat("RESIZE_NEAREST_NEIGHBOR", (1, 18, 30, 4), UP, **resized("NearestNeighbor", half=True)),
    "nearest corners": flat("RESIZE_NEAREST_NEIGHBOR", (1, 18, 30, 4), UP, **resized("NearestNeighbor", corners=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operator_gives_what_litert_gives(case: str) -> None:
    model = unflatten(CASES[case], case)  # runs both, and refuses a difference
    assert [value.name for value in model.graph.input] == ["picture"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (flat("TANH", (1, 9, 10, 4)), "TANH that makes 'z': is none that is read"),
        (flat("SOFTMAX", (1, 9, 10, 4), table="SoftmaxOptions", beta=2.0), "sharpens its softmax"),
        (flat("ADD", (1, 9, 10, 4), floats(4), **ADD | {"fusedActivationFunction": 4}), "has the fused activation 4"),
        (flat("MEAN", (1, 9, 4), ints(2), table="ReducerOptions"), "is read for means over rows and columns"),
        (flat("CONV_2D", (1, 9, 9, 6), floats(6, 3, 3, 4), floats(6), **conv(1, 1)), "is a damaged TFLite file"),
        (flat("RESHAPE", (1, 360), ints(1, 360), table="ReshapeOptions"), "is a damaged TFLite file"),
        (flat("PAD", (1, 99999, 99999, 4), PAIR, table="PadOptions"), "no device holds that"),
        (flat("ADD", (1, 9, 10, 4), np.full(4, np.nan, np.float32), **ADD), "gives numbers that are not finite"),
    ],
)
def test_what_is_not_read_is_refused_with_the_operator(content: bytes, told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        unflatten(content, "theirs.tflite")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_in_one_line() -> None:
    sound = CASES["conv same"]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        content = bytearray(sound)
        for place in rng.integers(8, len(sound), 3):
            content[place] = rng.integers(256)
        told = ""
        try:
            unflatten(bytes(content), "odd")
        except ModelError as error:
            told = str(error)
        assert "\n" not in told


def adopted(name: str, tmp_path: Path, classes: str, spread: str = "mean: [0, 0, 0], std: [255, 255, 255]") -> int:
    folder = SHARED / "models"
    if not folder.is_dir():
        pytest.skip("needs the third-party models in ../shared/data/models")
    card = (
        f"name: theirs\nclasses: [{classes}]\nfocus: person\nlicence: as stated\ndata: somebody's pictures\n"
        f"input: {{width: {SIDES.get(name, 256)}, height: {SIDES.get(name, 256)}, {spread}, colour_order: RGB}}\n"
    )
    (tmp_path / "card.yaml").write_text(card, encoding="utf-8")
    return main(["adopt", str(folder / name), str(tmp_path / "card.yaml"), "-o", str(tmp_path / "ours.onnx")])


SIDES = {"picamera2_deeplabv3.tflite": 257}
TWO = "{name: background}, {name: person}"
PASCAL = ", ".join(f"{{name: {'person' if index == 15 else f'class-{index}'}}}" for index in range(21))
HALF = "mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5]"
WHOLE = "mean: [0, 0, 0], std: [255, 255, 255]"


@pytest.mark.parametrize(
    ("name", "picture", "classes", "spread"),
    [
        ("picamera2_deeplabv3.tflite", "pc2_img_person.png", PASCAL, WHOLE),
        ("mnv3_seg_float.tflite", "grace_hopper.bmp", TWO, HALF),
        ("prisma-net.tflite", "grace_hopper.bmp", TWO, WHOLE),
    ],
)
def test_other_peoples_files_keep_their_masks(
    name: str, picture: str, classes: str, spread: str, tmp_path: Path
) -> None:
    assert adopted(name, tmp_path, classes, spread) == 0
    graph, card = load_model(tmp_path / "ours.onnx")
    onnx.save(fold(graph, card), tmp_path / "folded.onnx")
    prepared = prepare(read_picture(SHARED / "models" / "samples" / picture), card.input.width, card.input.height)
    with runtimes.create("onnxruntime", tmp_path / "folded.onnx") as runtime:
        found = runtime.infer(prepared)[0]
    expected = cv2.imread(str(SHARED / "models" / "expected" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert (found == expected).mean() > 0.995


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("selfie_segmentation.tflite", "Convolution2DTransposeBias that makes '.*': is none that is read"),
        ("prisma-net_uint8.tflite", "holds INT8: give the float network"),
        ("prisma_quant.tflite", "holds INT8: give the float network"),
        ("prisma_quant_edgetpu.tflite", "edgetpu-custom-op that makes"),
        ("road_intellothon/road-segmentation-adas-0001.xml", "is OpenVINO IR, which nothing turns back"),
        ("road_fp16/road-segmentation-adas-0001.xml", "is OpenVINO IR, which nothing turns back"),
    ],
)
def test_other_peoples_files_that_cannot_be_read_are_refused_with_the_reason(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adopted(name, tmp_path, TWO) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(told, error), error
