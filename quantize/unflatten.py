"""Unflatten: the ONNX graph of a float TFLite file, NCHW instead of NHWC, that gives the same numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

from edge.errors import ModelError
from quantize.flat_file import parse_flat
from quantize.opset import IR_VERSION, MOST_NUMBERS, OPSET
from quantize.session import Level, open_session, run_session
from quantize.windows import SAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantize.flat_file import FlatGraph, FlatOperator, FlatTensor

NCHW, AXES = [0, 3, 1, 2], {0: 0, 1: 2, 2: 3, 3: 1}
"""The order of dimensions, and where each of TFLite's comes to lie."""

INTEGERS = ("INT4", "INT8", "UINT8", "INT16")
"""What quantised files hold."""

OPERATORS = {
    "ADD": "_elementwise",
    "AVERAGE_POOL_2D": "_pool",
    "CONCATENATION": "_concat",
    "CONV_2D": "_conv",
    "DEPTHWISE_CONV_2D": "_conv",
    "DEQUANTIZE": "_widen",
    "HARD_SWISH": "_activation",
    "LOGISTIC": "_activation",
    "MAX_POOL_2D": "_pool",
    "MEAN": "_mean",
    "MUL": "_elementwise",
    "PAD": "_pad",
    "RELU": "_activation",
    "RELU6": "_activation",
    "RESHAPE": "_reshape",
    "RESIZE_BILINEAR": "_resize",
    "RESIZE_NEAREST_NEIGHBOR": "_resize",
    "SOFTMAX": "_softmax",
    "SUB": "_elementwise",
    "TRANSPOSE_CONV": "_conv_transpose",
}
"""Operators that are read, and who reads each."""

SAME_NAME = {"ADD": "Add", "MUL": "Mul", "SUB": "Sub", "RELU": "Relu", "LOGISTIC": "Sigmoid", "HARD_SWISH": "HardSwish"}
BOUNDS = {"RELU6": (0.0, 6.0), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Of operators, and of fused activations by their number."""
RELU = 1

TOLERANCE = 1e-4
"""Share of the largest output by which LiteRT may differ: sums are added up in another order."""


def unflatten(content: bytes, where: str) -> onnx.ModelProto:
    """Give the network of a float TFLite file; `where` stands in the errors.

    Raises:
        ModelError: damaged, quantised, or an operator has no counterpart here: it is named.
    """
    graph = parse_flat(content, where)
    try:
        model = _Reader(graph, where).read()
        onnx.checker.check_model(model, full_check=True)
    except ModelError:
        raise
    except Exception as error:  # whatever a damaged file makes of sizes and options
        raise ModelError(
            f"{where}: is a damaged TFLite file: {type(error).__name__}: {error}".split("\n", 1)[0]
        ) from error
    _compare(content, model, where)
    return model


class _Reader:
    """Puts the graph together, operator by operator."""

    def __init__(self, graph: FlatGraph, where: str) -> None:
        self._graph, self._where = graph, where
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._known: dict[int, NDArray[Any]] = {}  # numbers of constants that an operator makes, by tensor
        self._names: dict[int, str] = {}  # of what flows, by tensor
        self._told: list[onnx.ValueInfoProto] = []  # the sizes that the file says it has

    def read(self) -> onnx.ModelProto:
        graph = self._graph
        if graph.subgraphs != 1 or len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ModelError(f"{self._where}: must be one graph from one picture to one map")
        (picture,), (made,) = graph.inputs, graph.outputs
        self._tell(picture, "picture")
        for operator in graph.operators:
            for tensor in (*operator.inputs, *operator.outputs):
                if tensor.kind in INTEGERS:
                    raise self._refused(operator, f"holds {tensor.kind}: give the float network")
            if operator.name not in OPERATORS:
                raise self._refused(operator, "is none that is read: export the network to ONNX instead")
            getattr(self, OPERATORS[operator.name])(operator)
        told = {value.name: value for value in self._told}
        given, last = told.pop("picture"), told.pop(self._names[made.place])
        read = helper.make_graph(
            self._nodes, "tflite", [given], [last], self._constants, value_info=list(told.values())
        )
        return helper.make_model(read, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _tell(self, tensor: FlatTensor, name: str) -> None:
        """Note what flows, in the size that the file says it has: the checker holds it against what comes of it."""
        if not 0 < math.prod(tensor.shape) <= MOST_NUMBERS:
            raise ModelError(f"{self._where}: {tensor.name!r}: has shape {list(tensor.shape)}: no device holds that")
        self._names[tensor.place] = name
        self._told.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shape(tensor)))

    def _refused(self, operator: FlatOperator, why: str) -> ModelError:
        return ModelError(f"{self._where}: {operator.name} that makes {operator.outputs[0].name!r}: {why}")

    # Tensors

    def _shape(self, tensor: FlatTensor) -> list[int]:
        return [tensor.shape[place] for place in NCHW]

    def _array(self, tensor: FlatTensor) -> NDArray[Any]:
        """Give the numbers of a constant."""
        if tensor.place in self._known:
            return self._known[tensor.place]
        if tensor.content is None:
            raise ModelError(f"{self._where}: {tensor.name!r}: must be a constant")
        return tensor.content.view(tensor.kind.lower()).reshape(tensor.shape)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        unique = f"{name}#{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, unique))
        return unique

    def _floats(self, tensor: FlatTensor, order: Sequence[int]) -> str:
        return self._constant(tensor.name, self._array(tensor).astype(np.float32).transpose(order))

    def _given(self, tensor: FlatTensor) -> str:
        """Give what flows in; a constant beside it is laid out as it is."""
        if tensor.place in self._names:
            return self._names[tensor.place]
        values = self._array(tensor).astype(np.float32)
        spread = values.reshape((1,) * (4 - values.ndim) + values.shape)
        return self._constant(tensor.name, spread.transpose(NCHW))

    def _add(self, operator: FlatOperator, kind: str, inputs: Sequence[str], **options: Any) -> None:
        """Add a node and the activation that is fused with it."""
        (made,), bound = operator.outputs, operator.options.get("fusedActivationFunction", 0)
        name = f"{made.name}:{made.place}"
        self._tell(made, name)
        if not bound:
            self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **options))
            return
        self._nodes.append(helper.make_node(kind, inputs, [f"{name}/free"], name=f"{name}/free", **options))
        self._bounded(operator, f"{name}/free", name, bound)

    def _bounded(self, operator: FlatOperator, given: str, name: str, bound: int | str) -> None:
        ends: list[str] = []
        if bound in BOUNDS:
            ends = [self._constant(f"{name}/bound", np.array(end, np.float32)) for end in BOUNDS[bound]]
        elif bound != RELU:
            raise self._refused(operator, f"has the fused activation {bound}: export the network to ONNX instead")
        self._nodes.append(helper.make_node("Clip" if ends else "Relu", [given, *ends], [name], name=name))

    # Operators

    def _window(
        self, operator: FlatOperator, size: Sequence[int], given: FlatTensor, made: FlatTensor
    ) -> dict[str, Any]:
        """Lay a window as TFLite does, in numbers: what is odd is padded behind."""
        options = operator.options
        strides = [options["strideH"], options["strideW"]]
        dilations = [options.get("dilationHFactor", 1), options.get("dilationWFactor", 1)]
        reach = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
        sides = zip(given.shape[1:3], made.shape[1:3], strides, reach, strict=True)
        missing = [max((m - 1) * s + r - n, 0) if options["padding"] == SAME else 0 for n, m, s, r in sides]
        before = [lack // 2 for lack in missing]
        after = [lack - first for lack, first in zip(missing, before, strict=True)]
        spread = {} if dilations == [1, 1] else {"dilations": dilations}
        return {"kernel_shape": list(size), "strides": strides, "pads": [*before, *after], **spread}

    def _conv(self, operator: FlatOperator) -> None:
        given, weights, *bias = operator.inputs
        depthwise = operator.name == "DEPTHWISE_CONV_2D"
        inputs = [self._given(given), self._floats(weights, [3, 0, 1, 2] if depthwise else NCHW)]
        inputs += [self._floats(one, [0]) for one in bias]
        laid = self._window(operator, weights.shape[1:3], given, operator.outputs[0])
        self._add(operator, "Conv", inputs, group=given.shape[3] if depthwise else 1, **laid)

    def _conv_transpose(self, operator: FlatOperator) -> None:
        _, weights, given, *bias = operator.inputs
        inputs = [self._given(given), self._floats(weights, [3, 0, 1, 2]), *(self._floats(one, [0]) for one in bias)]
        laid = self._window(operator, weights.shape[1:3], operator.outputs[0], given)
        made, strides = operator.outputs[0].shape[1:3], laid["strides"]
        reached = [(n - 1) * s + k for n, s, k in zip(given.shape[1:3], strides, weights.shape[1:3], strict=True)]
        laid["output_padding"] = [max(m - r, 0) for m, r in zip(made, reached, strict=True)]
        self._add(operator, "ConvTranspose", inputs, **laid)

    def _pool(self, operator: FlatOperator) -> None:
        size = [operator.options["filterHeight"], operator.options["filterWidth"]]
        kind = "MaxPool" if operator.name == "MAX_POOL_2D" else "AveragePool"
        (given,), (made,) = operator.inputs, operator.outputs
        self._add(operator, kind, [self._given(given)], **self._window(operator, size, given, made))

    def _elementwise(self, operator: FlatOperator) -> None:
        self._add(operator, SAME_NAME[operator.name], [self._given(one) for one in operator.inputs])

    def _activation(self, operator: FlatOperator) -> None:
        (given,), (made,) = operator.inputs, operator.outputs
        if operator.name in SAME_NAME:
            self._add(operator, SAME_NAME[operator.name], [self._given(given)])
            return
        name = f"{made.name}:{made.place}"
        self._tell(made, name)
        self._bounded(operator, self._given(given), name, operator.name)

    def _softmax(self, operator: FlatOperator) -> None:
        if operator.options["beta"] != 1:
            raise self._refused(operator, "sharpens its softmax: export the network to ONNX instead")
        self._add(operator, "Softmax", [self._given(operator.inputs[0])], axis=1)

    def _concat(self, operator: FlatOperator) -> None:
        inputs = [self._given(one) for one in operator.inputs]
        self._add(operator, "Concat", inputs, axis=AXES[operator.options["axis"] % 4])

    def _mean(self, operator: FlatOperator) -> None:
        given, axes = operator.inputs
        if sorted(self._array(axes).ravel().tolist()) != [1, 2] or not operator.options["keepDims"]:
            raise self._refused(operator, "is read for means over rows and columns that are kept")
        self._add(operator, "GlobalAveragePool", [self._given(given)])

    def _pad(self, operator: FlatOperator) -> None:
        given, places = operator.inputs
        pads = self._array(places)[NCHW].T.ravel().astype(np.int64)
        self._add(operator, "Pad", [self._given(given), self._constant(places.name, pads)])

    def _resize(self, operator: FlatOperator) -> None:
        given, made, options = operator.inputs[0], operator.outputs[0], operator.options
        nearest, corners = operator.name == "RESIZE_NEAREST_NEIGHBOR", options["alignCorners"]
        grid = "align_corners" if corners else "half_pixel" if options["halfPixelCenters"] else "asymmetric"
        rule = "floor" if grid == "asymmetric" else "round_prefer_ceil"
        size = self._constant("size", np.array(self._shape(made), np.int64))
        self._add(
            operator, "Resize", [self._given(given), "", "", size], mode="nearest" if nearest else "linear",
            coordinate_transformation_mode=grid, **({"nearest_mode": rule} if nearest else {}),
        )  # fmt: skip

    def _widen(self, operator: FlatOperator) -> None:
        """Take constants in half precision as what they stand for."""
        (given,), (made,) = operator.inputs, operator.outputs
        self._known[made.place] = self._array(given).astype(np.float32)

    def _reshape(self, operator: FlatOperator) -> None:
        """Leave out that a map is made flat at the end."""
        given, made = operator.inputs[0], operator.outputs[0]
        if made.place != self._graph.outputs[0].place:
            raise self._refused(operator, "is read at the end of a network only")
        self._names[made.place] = self._given(given)


def _compare(content: bytes, model: onnx.ModelProto, where: str) -> None:
    """Run both on noise: what is read wrongly has to be noticed here, not on the line."""
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
        noise = np.random.default_rng(0).normal(size=given["shape"]).astype(np.float32)
        interpreter.set_tensor(given["index"], noise)
        interpreter.invoke()
        theirs = interpreter.get_tensor(made["index"]).ravel().astype(np.float64)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{where}: LiteRT refuses it: {str(error).strip().splitlines()[0]}") from error
    session = open_session(model, where, Level.ORT_DISABLE_ALL)
    inputs = {"picture": np.ascontiguousarray(noise.transpose(NCHW))}
    (ours,) = run_session(session, [model.graph.output[0].name], inputs, where)
    turned = ours.transpose(0, 2, 3, 1).ravel().astype(np.float64)
    if not np.isfinite(theirs).all():
        raise ModelError(f"{where}: gives numbers that are not finite: the training went wrong, or the file is cut")
    most = TOLERANCE * max(1, np.abs(theirs).max())
    if turned.shape != theirs.shape or not np.isfinite(turned).all() or np.abs(turned - theirs).max() > most:
        raise ModelError(f"{where}: gives other numbers in ONNX than in LiteRT: please report it, with the file")
