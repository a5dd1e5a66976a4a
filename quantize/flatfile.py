"""Flat file: one TFLite model, put together tensor by tensor and operator by operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SCHEMA_VERSION = 3

KINDS = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
}
"""Number types that are written, and what the format calls them."""


class FlatFile:
    """A model with one subgraph."""

    def __init__(self, description: str) -> None:
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators, self._graph.name = [], [], "main"
        self._codes: dict[tuple[int, int], int] = {}
        self._model = schema.ModelT()
        self._model.version, self._model.description = SCHEMA_VERSION, description
        self._model.subgraphs, self._model.buffers = [self._graph], [schema.BufferT()]  # buffer 0 is the empty one

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: type[np.generic],
        scales: float | NDArray[np.floating] | None = None,
        zero_point: int = 0,
        axis: int = 0,
    ) -> int:
        """Add a tensor that is computed; its numbers stand for `scale * (number - zero_point)`."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), KINDS[np.dtype(dtype)]
        if scales is not None:
            quantised = schema.QuantizationParametersT()
            quantised.scale = np.atleast_1d(np.asarray(scales, np.float32))
            quantised.zeroPoint = np.full(len(quantised.scale), zero_point, np.int64)
            quantised.quantizedDimension = axis
            tensor.quantization = quantised
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(
        self,
        name: str,
        values: NDArray[Any],
        scales: float | NDArray[np.floating] | None = None,
        zero_point: int = 0,
        axis: int = 0,
    ) -> int:
        """Add a tensor that is given."""
        place = self.tensor(name, values.shape, values.dtype.type, scales, zero_point, axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        self._graph.tensors[place].buffer = len(self._model.buffers) - 1
        return place

    def operator(self, name: str, version: int, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> None:
        """Add an operator; `options` are those of its table in the schema, whose name is `NameOptions`."""
        code = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault((code, version), len(self._codes))
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            table = options.pop("table")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")(**options)
        self._graph.operators.append(operator)

    def packed(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Give the file."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        self._model.operatorCodes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)
            for code, version in self._codes
        ]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
