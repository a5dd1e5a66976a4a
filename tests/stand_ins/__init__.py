"""Stand-ins for libraries that need a chip nobody has here; they do what the documentation says, on the processor."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

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
