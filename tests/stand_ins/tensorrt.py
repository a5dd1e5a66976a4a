"""What `tensorrt` gives, with ONNX Runtime as its engine."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from tests.stand_ins.cuda import Gpu

HEAD = b"engine of the stand-in\n"


class _Severity:
    INTERNAL_ERROR, ERROR, WARNING = range(3)


class _Logger:
    Severity = _Severity


class _Context:
    def __init__(self, session: Any, gpu: Gpu) -> None:
        self._session, self._gpu = session, gpu
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        if stream not in self._gpu.streams:
            return False
        given = self._session.get_inputs()[0]
        picture = self._gpu.memory[self._addresses[given.name]].reshape(given.shape)
        for value, made in zip(
            self._session.get_outputs(), self._session.run(None, {given.name: picture}), strict=True
        ):
            ctypes.memmove(self._addresses[value.name], np.ascontiguousarray(made).ctypes.data, made.nbytes)
        return True


class _Engine:
    def __init__(self, session: Any, gpu: Gpu) -> None:
        self._session, self._gpu = session, gpu
        self._tensors: dict[str, Any] = {value.name: value for value in (*session.get_inputs(), *session.get_outputs())}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, place: int) -> str:
        return [*self._tensors][place]

    def get_tensor_shape(self, name: str) -> list[int]:
        return list(self._tensors[name].shape)

    def get_tensor_dtype(self, name: str) -> str:
        return str(self._tensors[name].type)

    def create_execution_context(self) -> _Context:
        return _Context(self._session, self._gpu)


class TensorRt(ModuleType):
    """The module, for one GPU."""

    ILogger = _Logger

    def __init__(self, gpu: Gpu, version: str = "10.3.0", *, typed_flag: bool = True) -> None:
        super().__init__("tensorrt")
        self.__version__ = version
        self.built = 0
        self.flags: list[int] = []
        self.NetworkDefinitionCreationFlag = type("Flag", (), {"STRONGLY_TYPED": 1} if typed_flag else {})
        self.MemoryPoolType = type("Pool", (), {"WORKSPACE": 0})
        module = self

        def session(content: bytes) -> Any:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        class Network:
            content = b""

        class OnnxParser:
            def __init__(self, network: Network, log: Any) -> None:
                self._network, self._log, self.num_errors = network, log, 0

            def parse(self, content: bytes) -> bool:
                try:
                    session(content)
                except Exception as error:  # noqa: BLE001 - its errors share no root but Exception
                    self.num_errors, self._error = 1, str(error)
                    return False
                self._network.content = content
                return True

            def get_error(self, place: int) -> Any:
                assert place < self.num_errors
                return type("Error", (), {"desc": lambda _: self._error})()

        class Builder:
            def __init__(self, log: Any) -> None:
                self._log = log

            def create_network(self, flags: int) -> Network:
                module.flags.append(flags)
                return Network()

            def create_builder_config(self) -> Any:
                return type("Config", (), {"set_memory_pool_limit": lambda *_: None})()

            def build_serialized_network(self, network: Network, config: Any) -> bytes:
                assert config is not None
                module.built += 1
                return HEAD + network.content

        class Runtime:
            def __init__(self, log: Any) -> None:
                self._log = log

            def deserialize_cuda_engine(self, content: bytes) -> _Engine | None:
                if not content.startswith(HEAD):
                    self._log.log(_Severity.ERROR, "Magic tag does not match\nand more")
                    return None
                return _Engine(session(content[len(HEAD) :]), gpu)

        self.OnnxParser, self.Builder, self.Runtime = OnnxParser, Builder, Runtime

    @staticmethod
    def nptype(kind: str) -> type:
        return np.uint8 if kind == "tensor(uint8)" else np.float32
