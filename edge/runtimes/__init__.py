"""Runtimes by name: who runs the network; every other file here is one of them."""

from __future__ import annotations

import ctypes
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol, Self

from edge.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edge.mask import Plane
    from edge.picture import Picture

NAMES = ("tensorrt", "edgetpu", "openvino", "litert", "onnxruntime", "scripted")
"""The one that a device with several runs a bundle on comes first."""

PACKAGES = {"litert": "ai-edge-litert", "edgetpu": "ai-edge-litert"}
"""Where a runtime's package has another name than the runtime."""

ON_CORES = ("openvino", "litert", "onnxruntime")
"""Those that the number of threads and of lanes make a difference to."""

LANES = {"openvino": 2}
"""Where nobody measured: its threads sleep while they wait, so a second lane over all cores costs nothing while it is
idle. Those of others spin, and they have one."""

LIBRARIES = {"edgetpu": "libedgetpu.so.1"}
"""What a runtime needs beside its package."""


class Runtime(Protocol):
    """One loaded network with pre- and post-processing folded into its graph.

    Used as a context manager by one thread: entering loads and compiles, leaving frees. Meanwhile as many threads as
    it has lanes may infer at once; where it can do only one thing at a time, the others wait.
    """

    def __enter__(self) -> Self:
        """Load and compile. Raises ModelError."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        """Run the network on (H, W, 3) uint8 BGR at its input size; give classes and scores, both (h, w) uint8.

        The arrays are the caller's own. Raises ModelError.
        """
        ...


def installed(name: str) -> str | None:
    """Give the version of a runtime's package; none where it is not installed, or the runtime needs none."""
    try:
        if name in LIBRARIES:
            ctypes.CDLL(LIBRARIES[name])
    except OSError:
        return None
    try:
        return version(PACKAGES.get(name, name))
    except PackageNotFoundError:
        return None


def create(name: str, model: Path, *, threads: int = 0, lanes: int = 1) -> Runtime:
    """Make the runtime `name` for the model file `model`.

    Args:
        name: one of `NAMES`.
        model: its file.
        threads: for one inference; 0 leaves the number to the runtime.
        lanes: inferences at once.

    Raises:
        ModelError: no such runtime, or its package is not installed here.
    """
    if name not in NAMES:
        raise ModelError(f"runtime {name!r}: must be one of {', '.join(NAMES)}")
    try:
        module = import_module(f"edge.runtimes.{name}")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"runtime {name!r}: package {error.name!r} is not installed: pip install 'edgeloupe[{name}]'"
        ) from error
    runtime: Runtime = module.create(model, threads, lanes)
    return runtime
