"""Edge TPU: Coral's chip, through LiteRT and the delegate of libedgetpu.

Written after LiteRT's and Coral's documentation; it has never run on the chip.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Self

from ai_edge_litert.interpreter import Interpreter, load_delegate

from edge.errors import ModelError
from edge.runtimes import LIBRARIES
from edge.runtimes.litert import LiteRt

if TYPE_CHECKING:
    from pathlib import Path

COMPILED = b"edgetpu-custom-op"
"""What the chip runs goes by this name in a file."""


class EdgeTpu(LiteRt):
    """A TFLite file that was compiled for the Edge TPU."""

    def __enter__(self) -> Self:
        try:
            content = self._model.read_bytes()
        except OSError as error:
            raise ModelError(f"{self._model}: LiteRT refuses it: {error.strerror}") from error
        if content[4:8] == b"TFL3" and COMPILED not in content:
            raise ModelError(
                f"{self._model}: is not compiled for the Edge TPU and would run on the processor: quantise the model "
                "again on a machine with edgetpu_compiler, or choose the target cpu"
            )
        return super().__enter__()

    def _load(self, model: str, threads: int) -> Interpreter:
        try:
            ctypes.CDLL(
                LIBRARIES["edgetpu"]
            )  # where it is missing, LiteRT's own function leaves a broken object behind
            delegate = load_delegate(LIBRARIES["edgetpu"])
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{model}: {LIBRARIES['edgetpu']} or the chip is missing: install libedgetpu1-std, or take target cpu"
            ) from error
        return Interpreter(model, experimental_delegates=[delegate], num_threads=threads)


def create(model: Path, threads: int, lanes: int) -> EdgeTpu:
    """Make the runtime; nothing is loaded yet, and the chip has one lane."""
    del lanes
    return EdgeTpu(model, threads, 1)
