"""What `cuda.bindings.runtime` gives, with memory of the processor for that of a GPU."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import numpy as np

SUCCESS, INVALID = "cudaSuccess", "cudaErrorInvalidValue"
TO_DEVICE, TO_HOST = "cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"


class Gpu(ModuleType):
    """One GPU, or none."""

    def __init__(self, count: int = 1, name: bytes = b"stand-in") -> None:
        super().__init__("cuda.bindings.runtime")
        self.count, self.name = count, name
        self.memory: dict[int, np.ndarray] = {}
        self.streams: set[int] = set()
        self.cudaError_t = type("cudaError_t", (), {"cudaSuccess": SUCCESS})
        kinds = {"cudaMemcpyHostToDevice": TO_DEVICE, "cudaMemcpyDeviceToHost": TO_HOST}
        self.cudaMemcpyKind = type("cudaMemcpyKind", (), kinds)

    def cudaGetDeviceCount(self) -> tuple[str, int]:  # noqa: N802
        return SUCCESS, self.count

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        if device >= self.count:
            return (INVALID,)
        return SUCCESS, type("Properties", (), {"name": self.name, "major": 8, "minor": 7})

    def cudaRuntimeGetVersion(self) -> tuple[str, int]:  # noqa: N802
        return SUCCESS, 12060

    def cudaMalloc(self, size: int) -> tuple[str, int]:  # noqa: N802
        array = np.zeros(size, np.uint8)
        self.memory[array.ctypes.data] = array
        return SUCCESS, array.ctypes.data

    def cudaFree(self, address: int) -> tuple[str]:  # noqa: N802
        return (SUCCESS if self.memory.pop(address, None) is not None else INVALID,)

    def cudaMemcpyAsync(self, to: int, given: int, size: int, kind: str, stream: int) -> tuple[str]:  # noqa: N802
        device = self.memory.get(to if kind == TO_DEVICE else given)
        if device is None or device.nbytes < size or stream not in self.streams:
            return (INVALID,)
        ctypes.memmove(to, given, size)
        return (SUCCESS,)

    def cudaStreamCreate(self) -> tuple[str, int]:  # noqa: N802
        self.streams.add(7)
        return SUCCESS, 7

    def cudaStreamSynchronize(self, stream: int) -> tuple[str]:  # noqa: N802
        return (SUCCESS if stream in self.streams else INVALID,)

    def cudaStreamDestroy(self, stream: int) -> tuple[str]:  # noqa: N802
        self.streams.discard(stream)
        return (SUCCESS,)
