"""Session: an ONNX graph in ONNX Runtime, quiet, its refusals in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime

from edge.errors import ModelError
from edge.runtimes.onnxruntime import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

Level = onnxruntime.GraphOptimizationLevel

FATAL_ONLY = 4


def open_session(
    model: onnx.ModelProto, where: str, level: Any = Level.ORT_ENABLE_ALL, optimised: Path | None = None
) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        model: the graph.
        where: stands in the error.
        level: how far it is rewritten before it runs.
        optimised: where it is kept as it was rewritten.

    Raises:
        ModelError: ONNX Runtime refuses it.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = FATAL_ONLY
    if optimised:
        options.optimized_model_filepath = str(optimised)
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=PROVIDERS, enable_fallback=0)
    except Exception as error:  # its errors share no root but Exception
        raise ModelError(f"{where}: ONNX Runtime refuses it: {reason(error)}") from error


def run_session(
    session: onnxruntime.InferenceSession, names: Sequence[str], inputs: Mapping[str, NDArray[Any]], where: str
) -> list[NDArray[Any]]:
    """Compute the tensors called `names`. Raises ModelError."""
    try:
        return list(session.run(list(names), dict(inputs))) if names else []  # of no names it would give all outputs
    except Exception as error:  # its errors share no root but Exception
        raise ModelError(f"{where}: fails when it runs: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Give the first line of what a library says, at most 300 characters of it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
