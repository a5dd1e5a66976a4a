"""OpenVINO on the CPU: one compiled network, and a request of its own for each lane."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

import numpy as np
import openvino

from edge.cache import cache_folder, write_whole
from edge.errors import ModelError
from edge.machine import processor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from edge.mask import Plane
    from edge.picture import Picture


log = logging.getLogger(__name__)

_SUM = hashlib.sha256().digest_size


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
        if self._threads or self._lanes > 1:
            config["INFERENCE_NUM_THREADS"] = (self._threads or len(os.sched_getaffinity(0))) * self._lanes
        try:
            compiled = self._compile(config)
        except RuntimeError as error:
            raise ModelError(f"{self._model}: OpenVINO refuses it: {str(error).strip().splitlines()[-1]}") from error
        if len(compiled.inputs) != 1 or len(compiled.outputs) != 2:
            raise ModelError(f"{self._model}: must have one input (picture) and two outputs (classes, scores)")
        self._idle = SimpleQueue()
        for _ in range(self._lanes):
            self._idle.put(compiled.create_infer_request())
        return self

    def _compile(self, config: Mapping[str, object]) -> openvino.CompiledModel:
        """Compile, or take what was compiled here before of a bundle that was unpacked here.

        Only whole files reach OpenVINO's parser. Networks that lie elsewhere come and go, and are not kept.
        """
        if not self._model.is_relative_to(cache_folder("bundles")):
            return core().compile_model(str(self._model), "CPU", config)
        path = cache_folder("compiled") / f"{self._key(config)}.blob"
        with contextlib.suppress(OSError):
            kept = path.read_bytes()
            if hashlib.sha256(kept[_SUM:]).digest() == kept[:_SUM]:
                return core().import_model(kept[_SUM:], "CPU", config)
        compiled = core().compile_model(str(self._model), "CPU", config)
        compiled.export_model(stream := io.BytesIO())
        made = stream.getvalue()
        try:
            write_whole(path, hashlib.sha256(made).digest() + made)
        except OSError as error:
            log.warning("%s: %s: the network is compiled anew at every start", path, error.strerror)
        return compiled

    def _key(self, config: Mapping[str, object]) -> str:
        """Name what a compiled network depends on: the network, OpenVINO, the chip, the settings."""
        told = hashlib.sha256(f"{openvino.get_version()} {processor()} {sorted(config.items())}".encode())
        for path in (self._model, self._model.with_suffix(".bin")):
            told.update(hashlib.sha256(path.read_bytes() if path.exists() else b"").digest())
        return told.hexdigest()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._idle = None

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._idle is None:
            raise ModelError(f"{self._model}: is not open: enter the runtime first")
        request = self._idle.get()
        try:
            request.infer([picture[None]], share_inputs=True, share_outputs=True)
            classes, scores = (np.array(request.get_output_tensor(i).data[0], np.uint8) for i in (0, 1))
        except RuntimeError as error:
            raise ModelError(f"{self._model}: inference failed: {str(error).strip().splitlines()[-1]}") from error
        finally:
            self._idle.put(request)
        return classes, scores


def create(model: Path, threads: int, lanes: int) -> OpenVino:
    """Make the runtime; nothing is loaded yet."""
    return OpenVino(model, threads, lanes)
