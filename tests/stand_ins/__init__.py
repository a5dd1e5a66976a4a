"""Stand-ins for libraries that need a chip nobody has here; they do what the documentation says, on the processor."""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from edge.runtimes import edgetpu, litert
from tests.stand_ins.cuda import Gpu
from tests.stand_ins.tensorrt import TensorRt

if TYPE_CHECKING:
    import pytest


def install_tensorrt(
    monkeypatch: pytest.MonkeyPatch, module: TensorRt | None = None, gpu: Gpu | None = None
) -> TensorRt:
    """Let `import tensorrt` and `from cuda.bindings import runtime` find the stand-ins."""
    gpu = gpu or Gpu()
    module = module or TensorRt(gpu)
    bindings = ModuleType("cuda.bindings")
    bindings.runtime = gpu  # type: ignore[attr-defined]
    for name, found in {"cuda": ModuleType("cuda"), "cuda.bindings": bindings, "tensorrt": module}.items():
        monkeypatch.setitem(sys.modules, name, found)
    monkeypatch.setitem(sys.modules, "edge.runtimes.tensorrt", module)  # so that it is forgotten afterwards
    del sys.modules["edge.runtimes.tensorrt"]
    return module


def install_edgetpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processor run what is meant for the Edge TPU, compiled or not."""

    def interpreter(model: str, *, experimental_delegates: list[object], num_threads: int) -> object:
        assert experimental_delegates == ["libedgetpu.so.1"]
        return vars(litert)["Interpreter"](model, num_threads=num_threads)

    monkeypatch.setattr(ctypes, "CDLL", str)
    monkeypatch.setattr(edgetpu, "COMPILED", b"")
    monkeypatch.setattr(edgetpu, "load_delegate", str)
    monkeypatch.setattr(edgetpu, "Interpreter", interpreter)
