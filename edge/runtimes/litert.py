"""LiteRT on the CPU: full-integer TFLite files through XNNPACK; an interpreter of its own for each lane."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from edge.mask import Plane
    from edge.picture import Picture


class LiteRt:
    """One TFLite file."""

    def __init__(self, model: Path, threads: int, lanes: int) -> None:
        self._model = model
        self._threads = threads or max(len(os.sched_getaffinity(0)) // lanes, 1)
        self._lanes = lanes
        self._idle: SimpleQueue[Interpreter] | None = None
        self._picture = 0
        self._planes: list[int] = []

    def __enter__(self) -> Self:
        try:
            with _without_notices():
                interpreters = [self._load(str(self._model), self._threads) for _ in range(self._lanes)]
                for interpreter in interpreters:
                    interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._model}: LiteRT refuses it: {str(error).strip().splitlines()[-1]}") from error
        inputs, outputs = interpreters[0].get_input_details(), interpreters[0].get_output_details()
        if len(inputs) != 1 or len(outputs) != 2:
            raise ModelError(f"{self._model}: must have one input (picture) and two outputs (classes, scores)")
        self._picture, self._planes = inputs[0]["index"], [output["index"] for output in outputs]
        self._idle = SimpleQueue()
        for interpreter in interpreters:
            self._idle.put(interpreter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._idle = None

    def _load(self, model: str, threads: int) -> Interpreter:
        return Interpreter(model, num_threads=threads)

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        if self._idle is None:
            raise ModelError(f"{self._model}: is not open: enter the runtime first")
        interpreter = self._idle.get()
        try:
            interpreter.set_tensor(self._picture, picture[None])
            interpreter.invoke()
            classes, scores = (np.asarray(interpreter.get_tensor(place)[0], np.uint8) for place in self._planes)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._model}: inference failed: {str(error).strip().splitlines()[-1]}") from error
        finally:
            self._idle.put(interpreter)
        return classes, scores


@contextmanager
def _without_notices() -> Iterator[None]:
    """Keep LiteRT from announcing on standard error which kernels it found; it has no switch for that.

    Whatever else is written there meanwhile is passed on afterwards.
    """
    sys.stderr.flush()
    with os.fdopen(os.memfd_create("stderr"), "w+b") as aside:
        real = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            aside.seek(0)
            for line in aside:
                if not line.startswith(b"INFO: "):
                    os.write(2, line)


def create(model: Path, threads: int, lanes: int) -> LiteRt:
    """Make the runtime; nothing is loaded yet."""
    return LiteRt(model, threads, lanes)
