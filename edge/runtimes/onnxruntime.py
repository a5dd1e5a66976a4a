"""ONNX Runtime on the CPU: runs the float reference of every bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime

from edge.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edge.mask import Plane
    from edge.picture import Picture


PROVIDERS = ["CPUExecutionProvider"]
"""Nothing to fall back to: trying again would only print to standard output."""


class OnnxRuntime:
    """One ONNX file in one session, which any number of threads may run at once."""

    def __init__(self, model: Path, threads: int) -> None:
        self._model = model
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None
        self._input = ""

    def __enter__(self) -> Self:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(self._model), options, providers=PROVIDERS, enable_fallback=0)
        except Exception as error:  # its errors share no root but Exception
            raise ModelError(f"{self._model}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from error
        if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 2:
            raise ModelError(f"{self._model}: must have one input (picture) and two outputs (classes, scores)")
        self._input = session.get_inputs()[0].name
        self._session = session
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._session = None

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._session is None:
            raise ModelError(f"{self._model}: is not open: enter the runtime first")
        try:
            classes, scores = self._session.run(None, {self._input: picture[None]})
        except Exception as error:  # its errors share no root but Exception
            raise ModelError(f"{self._model}: inference failed: {str(error).splitlines()[0]}") from error
        return np.asarray(classes[0], np.uint8), np.asarray(scores[0], np.uint8)


def create(model: Path, threads: int, lanes: int) -> OnnxRuntime:
    """Make the runtime; nothing is loaded yet."""
    del lanes
    return OnnxRuntime(model, threads)
