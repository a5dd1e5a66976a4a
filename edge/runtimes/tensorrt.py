"""TensorRT on a Jetson or another NVIDIA GPU: the engine is built on the device from ONNX, once, and kept.

Written after NVIDIA's documentation of TensorRT 10 and 11 and tried against a stand-in of both libraries only; it has
never run on a GPU.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import tensorrt as trt
from cuda.bindings import runtime as cuda

from edge.cache import cache_folder, write_whole
from edge.errors import ModelError

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from edge.mask import Plane
    from edge.picture import Picture

log = logging.getLogger(__name__)

WORKSPACE_BYTES = 512 << 20
"""What a layer may use while it runs."""

RELEASE = Path("/etc/nv_tegra_release")
"""Names JetPack's version, where there is one."""


class _Complaints(trt.ILogger):  # type: ignore[misc]
    """Keeps what TensorRT says last of what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.last = "it gives no reason"

    def log(self, severity: Any, message: str) -> None:
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.last = message.strip().splitlines()[0]


class TensorRt:
    """One engine with its memory on the GPU."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._complaints = _Complaints()
        self._context: Any = None
        self._stream: Any = None
        self._held: dict[str, tuple[int, NDArray[np.uint8]]] = {}  # on the GPU, and here, by the tensor's name
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._close()

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._context is None:
            raise ModelError(f"{self._model}: is not open: enter the runtime first")
        with self._turn:
            return self._infer(picture)

    def _infer(self, picture: Picture) -> tuple[Plane, Plane]:
        address, here = self._held["picture"]
        if picture[None].shape != here.shape:
            raise ModelError(f"{self._model}: inference failed: takes {here.shape[1:]}, not {picture.shape}")
        kinds = cuda.cudaMemcpyKind
        here[0] = picture
        self._call(
            cuda.cudaMemcpyAsync, address, here.ctypes.data, here.nbytes, kinds.cudaMemcpyHostToDevice, self._stream
        )
        if not self._context.execute_async_v3(self._stream):
            raise ModelError(f"{self._model}: inference failed: {self._complaints.last}")
        planes = [self._held[name] for name in ("classes", "scores")]
        for address, here in planes:
            self._call(
                cuda.cudaMemcpyAsync, here.ctypes.data, address, here.nbytes, kinds.cudaMemcpyDeviceToHost, self._stream
            )
        self._call(cuda.cudaStreamSynchronize, self._stream)
        classes, scores = (here[0].copy() for _, here in planes)
        return classes, scores

    def _open(self) -> None:
        if self._call(cuda.cudaGetDeviceCount) < 1:
            raise ModelError(f"{self._model}: no NVIDIA GPU was found: choose another target with model.target")
        engine = self._engine()
        names = {engine.get_tensor_name(place) for place in range(engine.num_io_tensors)}
        if names != {"picture", "classes", "scores"}:
            raise ModelError(f"{self._model}: must have one input (picture) and two outputs (classes, scores)")
        self._context = engine.create_execution_context()
        self._stream = self._call(cuda.cudaStreamCreate)
        for name in sorted(names):
            if trt.nptype(engine.get_tensor_dtype(name)) != np.uint8:
                raise ModelError(f"{self._model}: {name} must be uint8: quantise the model again")
            here = np.zeros(tuple(engine.get_tensor_shape(name)), np.uint8)
            address = self._call(cuda.cudaMalloc, here.nbytes)
            self._held[name] = (address, here)
            self._context.set_tensor_address(name, address)

    def _close(self) -> None:
        self._context = None
        for address, _ in self._held.values():
            cuda.cudaFree(address)
        self._held = {}
        if self._stream is not None:
            cuda.cudaStreamDestroy(self._stream)
            self._stream = None

    def _engine(self) -> Any:
        """Load the engine that was built here, or build it: that takes minutes."""
        try:
            content = self._model.read_bytes()
        except OSError as error:
            raise ModelError(f"{self._model}: TensorRT refuses it: {error.strerror}") from error
        path = cache_folder("engines") / f"{self._key(content)}.engine"
        opener = trt.Runtime(self._complaints)
        if path.exists():
            engine = opener.deserialize_cuda_engine(path.read_bytes())
            if engine is not None:
                return engine
            log.warning("%s: can't be read any more, is built anew: %s", path, self._complaints.last)
        log.info("building the engine of %s: minutes, once on this device", self._model)
        built = bytes(self._build(content))
        try:
            write_whole(path, built)
        except OSError as error:
            log.warning("%s: %s: the engine is built anew at every start", path, error.strerror)
        engine = opener.deserialize_cuda_engine(built)
        if engine is None:
            raise ModelError(f"{self._model}: TensorRT refuses it: {self._complaints.last}")
        return engine

    def _key(self, content: bytes) -> str:
        """Name what an engine depends on: the model, TensorRT, the GPU, JetPack."""
        gpu = self._call(cuda.cudaGetDeviceProperties, 0)
        jetpack = RELEASE.read_bytes() if RELEASE.exists() else b""
        told = f"{trt.__version__} {gpu.name!r} {gpu.major}.{gpu.minor} {self._call(cuda.cudaRuntimeGetVersion)}"
        return hashlib.sha256(hashlib.sha256(content).digest() + told.encode() + jetpack).hexdigest()

    def _build(self, content: bytes) -> Any:
        builder = trt.Builder(self._complaints)
        # From TensorRT 11 on networks are always strongly typed, and the flag may be gone.
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if flag is None else 1 << int(flag))
        parser = trt.OnnxParser(network, self._complaints)
        if not parser.parse(content):
            told = parser.get_error(0).desc() if parser.num_errors else self._complaints.last
            raise ModelError(f"{self._model}: TensorRT refuses it: {told.strip().splitlines()[0]}")
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
        built = builder.build_serialized_network(network, config)
        if built is None:
            raise ModelError(f"{self._model}: TensorRT builds no engine of it: {self._complaints.last}")
        return built

    def _call(self, function: Any, *args: Any) -> Any:
        """Call CUDA; it gives its errors back."""
        error, *found = function(*args)
        if error != cuda.cudaError_t.cudaSuccess:
            raise ModelError(f"{self._model}: {function.__name__} fails on this GPU: {error}")
        return found[0] if found else None


def create(model: Path, threads: int, lanes: int) -> TensorRt:
    """Make the runtime; nothing is loaded yet, and a GPU needs no number of threads or lanes."""
    del threads, lanes
    return TensorRt(model)
