"""What every runtime must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge import runtimes
from edge.errors import ModelError
from quantize.flat_file import FlatFile
from quantize.fold import fold
from quantize.tflite import write_tflite
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network
from tests.stand_ins import install_edgetpu, install_tensorrt

if TYPE_CHECKING:
    from pathlib import Path

READERS = tuple(name for name in runtimes.NAMES if name != "scripted")
"""Those that read a model file."""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One network in each format, by the ending of its name."""
    folded, folder = fold(toy_network(), toy_card()), tmp_path_factory.mktemp("model")
    onnx.save(folded, folder / "folded.onnx")
    (folder / "folded.tflite").write_bytes(write_tflite(folded, None))
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def _stand_ins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TensorRT needs a GPU, and Coral its chip: what stands in for them keeps to their documentation."""
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") == "tensorrt":
        install_tensorrt(monkeypatch)
        monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") == "edgetpu":
        install_edgetpu(monkeypatch)


@pytest.fixture
def model(name: str, forms: dict[str, Path]) -> Path:
    return forms[".tflite" if name in ("litert", "edgetpu") else ".onnx"]


def _red_square() -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    picture[20:60, 40:100] = (0, 0, 255)
    return picture


@pytest.mark.parametrize("name", runtimes.NAMES)
def test_red_is_found_as_class_1_at_the_output_size(name: str, model: Path) -> None:
    with runtimes.create(name, model, threads=1) as runtime:
        classes, scores = runtime.infer(_red_square())
    assert classes.dtype == scores.dtype == np.uint8
    assert classes.shape == scores.shape == (HEIGHT // 2, WIDTH // 2)
    assert classes[20, 35] == 1
    assert classes[40, 10] == 0
    assert abs(int((classes == 1).sum()) - 600) < 60
    assert int(scores.min()) >= 127  # the winner of two has at least half


@pytest.mark.parametrize("name", runtimes.NAMES)
def test_the_arrays_are_the_callers_own(name: str, model: Path) -> None:
    with runtimes.create(name, model, threads=1) as runtime:
        classes, scores = runtime.infer(_red_square())
        before = classes.copy(), scores.copy()
        runtime.infer(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        assert np.array_equal(classes, before[0])
        assert np.array_equal(scores, before[1])
        classes[:] = 7
        assert int(runtime.infer(_red_square())[0].max()) == 1


@pytest.mark.parametrize("name", runtimes.NAMES)
def test_the_same_picture_gives_the_same_mask(name: str, model: Path) -> None:
    with runtimes.create(name, model, threads=1) as runtime:
        first, second = (runtime.infer(_red_square()) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("name", runtimes.NAMES)
def test_lanes_see_the_same_at_once_as_one_alone(name: str, model: Path) -> None:
    pictures = [np.roll(_red_square(), 8 * i, axis=1) for i in range(6)]
    with runtimes.create(name, model, threads=1) as runtime:
        alone = [runtime.infer(picture) for picture in pictures]
    with runtimes.create(name, model, threads=1, lanes=2) as runtime, ThreadPoolExecutor(3) as pool:
        together = list(pool.map(runtime.infer, pictures * 5))
    for (classes, scores), (expected, certain) in zip(together, alone * 5, strict=True):
        assert np.array_equal(classes, expected)
        assert np.array_equal(scores, certain)


@pytest.mark.parametrize("name", READERS)
def test_a_picture_of_the_wrong_size_is_an_error_of_ours(name: str, model: Path) -> None:
    with runtimes.create(name, model, threads=1) as runtime, pytest.raises(ModelError, match="inference failed"):
        runtime.infer(np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x08\x08" + bytes(500)])
def test_a_file_that_is_no_network_is_refused_in_one_line(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.onnx") as caught, runtimes.create(name, path):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_a_network_that_is_not_folded_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "plain"
    if name in ("litert", "edgetpu"):
        file = FlatFile("one output")
        places = [file.tensor(what, (1, 4, 4, 1), np.float32) for what in ("a", "b")]
        file.operator("RELU", 1, places[:1], places[1:])
        path.write_bytes(file.packed(places[:1], places[1:]))
    else:
        path = path.with_suffix(".onnx")
        onnx.save(toy_network(), path)
    with pytest.raises(ModelError, match="two outputs"), runtimes.create(name, path):
        pass


@pytest.mark.parametrize("name", READERS)
def test_a_runtime_that_is_not_open_says_so(name: str, model: Path) -> None:
    with pytest.raises(ModelError, match="not open"):
        runtimes.create(name, model).infer(_red_square())


def test_an_unknown_runtime_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be one of tensorrt"):
        runtimes.create("abacus", tmp_path)
