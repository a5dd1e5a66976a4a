"""TensorRT's engines: built once for a model and a GPU, and again when either is another. On stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edge import runtimes
from edge.errors import ModelError
from quantize.fold import fold
from quantize.toy import HEIGHT, WIDTH, toy_card, toy_network
from tests.stand_ins import install_tensorrt
from tests.stand_ins.cuda import Gpu
from tests.stand_ins.tensorrt import HEAD, TensorRt

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "folded.onnx"
    onnx.save(fold(toy_network(), toy_card()), path)
    return path


def engines(model: Path) -> list[Path]:
    return sorted((model.parent / "cache" / "engines").iterdir())


def run(model: Path) -> None:
    with runtimes.create("tensorrt", model) as runtime:
        assert runtime.infer(PICTURE)[0].shape == (HEIGHT // 2, WIDTH // 2)


def test_an_engine_is_built_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install_tensorrt(monkeypatch)
    run(model)
    run(model)
    assert module.built == 1
    assert module.flags == [2]  # strongly typed
    assert engines(model)[0].read_bytes().startswith(HEAD)


def test_another_gpu_or_another_tensorrt_gets_an_engine_of_its_own(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gpu, version in ((Gpu(), "10.3.0"), (Gpu(name=b"other"), "10.3.0"), (Gpu(), "11.4.0")):
        install_tensorrt(monkeypatch, TensorRt(gpu, version), gpu)
        run(model)
    assert len(engines(model)) == 3


def test_networks_of_tensorrt_11_are_typed_without_being_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    module = install_tensorrt(monkeypatch, TensorRt(gpu, "11.4.0", typed_flag=False), gpu)
    run(model)
    assert module.flags == [0]


def test_an_engine_cut_short_by_a_power_cut_is_built_anew(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = install_tensorrt(monkeypatch)
    run(model)
    engines(model)[0].write_bytes(b"half")
    run(model)
    assert module.built == 2
    assert "can't be read any more, is built anew: Magic tag does not match" in caplog.text


def test_without_room_for_the_engine_it_runs_all_the_same(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install_tensorrt(monkeypatch)
    (model.parent / "cache").write_bytes(b"a file where a folder should be")
    run(model)
    assert module.built == 1


def test_memory_on_the_gpu_is_given_back(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    install_tensorrt(monkeypatch, gpu=gpu, module=TensorRt(gpu))
    run(model)
    assert not gpu.memory
    assert not gpu.streams


def test_a_machine_without_a_gpu_is_told_so(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(count=0)
    install_tensorrt(monkeypatch, TensorRt(gpu), gpu)
    with pytest.raises(ModelError, match="no NVIDIA GPU was found"):
        run(model)


def test_without_the_library_it_says_what_to_install(model: Path) -> None:
    with pytest.raises(ModelError, match=r"is not installed: pip install 'edgeloupe\[tensorrt\]'"):
        runtimes.create("tensorrt", model)
