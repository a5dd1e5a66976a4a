"""OpenVINO on the CPU: one compiled network, and a request of its own for each lane."""

from __future__ import annotations

from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

import numpy as np
import openvino

from edge.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edge.frame import Picture
    from edge.mask import Plane


@cache
def core() -> openvino.Core:
    """Give the one Core of this process.

    Each Core swaps the calling thread's alternate signal stack when it loads the CPU plug-in and when it goes. Two of
    them that go in the wrong order leave the thread a stack that was freed, and the next signal writes over memory
    (OpenVINO 2026.4). One that stays until the end does not.
    """
    return openvino.Core()


class OpenVino:
    """An OpenVINO IR or ONNX file, compiled for low latency with one lane and for throughput with several."""

    def __init__(self, model: Path, threads: int, lanes: int) -> None:
        self._model = model
        self._threads = threads
        self._lanes = lanes
        self._idle: SimpleQueue[openvino.InferRequest] | None = None

    def __enter__(self) -> Self:
        # Without the second hint OpenVINO runs float layers in bfloat16 where the chip can, and they disagree.
        config: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if self._lanes > 1:
            config |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self._lanes}
        if self._threads:
            config["INFERENCE_NUM_THREADS"] = self._threads * self._lanes
        try:
            compiled = core().compile_model(str(self._model), "CPU", config)
        except RuntimeError as error:
            raise ModelError(f"{self._model}: OpenVINO refuses it: {str(error).strip().splitlines()[-1]}") from error
        if len(compiled.inputs) != 1 or len(compiled.outputs) != 2:
            raise ModelError(f"{self._model}: must have one input (picture) and two outputs (classes, scores)")
        self._idle = SimpleQueue()
        for _ in range(self._lanes):
            self._idle.put(compiled.create_infer_request())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._idle = None

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._idle is None:
            raise ModelError(f"{self._model}: is not open: enter the runtime first")
        request = self._idle.get()
        try:
            request.infer([picture[None]], share_inputs=True)
            classes, scores = (np.array(request.get_output_tensor(i).data[0], np.uint8) for i in (0, 1))
        except RuntimeError as error:
            raise ModelError(f"{self._model}: inference failed: {str(error).strip().splitlines()[-1]}") from error
        finally:
            self._idle.put(request)
        return classes, scores


def create(model: Path, threads: int, lanes: int) -> OpenVino:
    """Make the runtime; nothing is loaded yet."""
    return OpenVino(model, threads, lanes)
