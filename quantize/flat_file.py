"""Flat file: one TFLite model, put together tensor by tensor and operator by operator, or read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        builder = _Sharing(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Writes equal vectors once: a zero point of eight bytes per channel is a sixth of a small network's file."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802, the builder's own name
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


@dataclass(frozen=True, slots=True)
class FlatTensor:
    """A tensor of a TFLite file."""

    name: str
    shape: tuple[int, ...]
    kind: str  # number type, as the schema calls it
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    open: bool  # whether a dimension is left open
    place: int  # among the graph's tensors
    content: NDArray[np.uint8] | None = field(compare=False, repr=False)  # its numbers as bytes, of a constant

    @property
    def constant(self) -> bool:
        """Whether its numbers stand in the file."""
        return self.content is not None


@dataclass(frozen=True, slots=True)
class FlatOperator:
    """An operator of a TFLite file, with what it reads and makes."""

    name: str  # as the schema calls it; CUSTOM ones by their own
    version: int
    inputs: tuple[FlatTensor, ...]
    outputs: tuple[FlatTensor, ...]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """What a TFLite file holds."""

    subgraphs: int
    inputs: tuple[FlatTensor, ...]
    outputs: tuple[FlatTensor, ...]
    operators: tuple[FlatOperator, ...]  # of the first subgraph, in the order they run


def read_flat(path: Path) -> FlatGraph:
    """Read a TFLite file.

    Raises:
        ModelError: it is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}: give a TFLite file") from error
    return parse_flat(content, str(path))


def parse_flat(content: bytes, where: str) -> FlatGraph:
    """Read a TFLite file's bytes; `where` stands in the errors.

    Raises:
        ModelError: they are none.
    """
    if not is_flat(content):
        raise ModelError(f"{where}: is no TFLite file")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        graph = model.subgraphs[0]
        tensors = [_read_tensor(tensor, place, model) for place, tensor in enumerate(graph.tensors)]

        def of(places: Any) -> tuple[FlatTensor, ...]:
            return tuple(tensors[place] for place in places if place >= 0)

        operators = []
        for held in graph.operators:
            code = model.operatorCodes[held.opcodeIndex]
            name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            if name == "CUSTOM":
                name = code.customCode.decode("utf-8", "replace")
            options = vars(held.builtinOptions) if held.builtinOptions else {}
            operators.append(FlatOperator(name, code.version, of(held.inputs), of(held.outputs), options))
        return FlatGraph(len(model.subgraphs), of(graph.inputs), of(graph.outputs), tuple(operators))
    except Exception as error:  # a damaged file makes the reader fail in any way
        raise ModelError(f"{where}: is a damaged TFLite file: {type(error).__name__}: {error}") from error


def is_flat(content: bytes) -> bool:
    """Say whether bytes begin as a TFLite file does."""
    return content[4:8] == b"TFL3"


_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_KINDS = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def _read_tensor(tensor: Any, place: int, model: Any) -> FlatTensor:
    quantised, held = tensor.quantization, model.buffers[tensor.buffer].data
    shape = () if tensor.shape is None else tuple(int(n) for n in tensor.shape)
    signature = () if tensor.shapeSignature is None else tuple(tensor.shapeSignature)

    def numbers(values: Any) -> tuple[Any, ...]:
        return () if values is None else tuple(values)

    return FlatTensor(
        tensor.name.decode("utf-8", "replace") if tensor.name else "",
        shape,
        _KINDS[tensor.type],
        numbers(quantised.scale) if quantised else (),
        numbers(quantised.zeroPoint) if quantised else (),
        any(n < 0 for n in signature),
        place,
        np.asarray(held, np.uint8) if held is not None and len(held) else None,
    )
