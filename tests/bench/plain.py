"""Plain: networks as other tools write them, normalised picture in and logits out, behind the device's own protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from edge.runtimes.openvino import core

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.mask import Plane
    from edge.picture import Picture
    from models.card import CardInput

    Floats = NDArray[np.float32]
    Network = Callable[[Floats], Floats]


RUNTIMES = {".onnx": "onnxruntime", ".xml": "openvino", ".tflite": "litert"}
"""Who runs a file, by its ending."""


class PlainFile:
    """One file of any kind, on one thread; a member of `edge.runtimes` in all but name."""

    def __init__(self, path: Path, given: CardInput) -> None:
        self._input, self.runs_in = given, RUNTIMES[path.suffix]
        opened = {"onnxruntime": _in_onnxruntime, "openvino": _in_openvino, "litert": _in_litert}
        self.network: Network = opened[self.runs_in](path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def normalised(self, picture: Picture) -> Floats:
        """Give what the network takes, (1, 3, H, W), of a picture (H, W, 3) uint8 BGR."""
        given = self._input
        ordered = picture[..., ::-1] if given.colour_order == "RGB" else picture
        values = (ordered - np.asarray(given.mean, np.float32)) / np.asarray(given.std, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        """Give class and score per pixel, (h, w) uint8."""
        logits = self.network(self.normalised(picture))[0].astype(np.float64)
        shares = np.exp(logits - logits.max(axis=0))
        scores = (shares.max(axis=0) / shares.sum(axis=0) * 255).round()
        return logits.argmax(axis=0).astype(np.uint8), scores.astype(np.uint8)


def _in_onnxruntime(path: Path) -> Network:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda values: np.asarray(session.run(None, {given.name: values})[0])


def _in_openvino(path: Path) -> Network:
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled: Any = core().compile_model(path, "CPU", options)
    return lambda values: np.asarray(compiled(values)[0])


def _in_litert(path: Path) -> Network:
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(values: Floats) -> Floats:
        values = values.transpose(0, 2, 3, 1)
        scale, zero = given["quantization"]
        if given["dtype"] != np.float32:
            limits = np.iinfo(given["dtype"])
            values = np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(given["dtype"])
        interpreter.set_tensor(given["index"], values)
        interpreter.invoke()
        found = interpreter.get_tensor(made["index"])
        if made["dtype"] != np.float32:
            scale, zero = made["quantization"]
            found = (found.astype(np.float32) - zero) * scale
        return np.asarray(found.transpose(0, 3, 1, 2))

    return run
