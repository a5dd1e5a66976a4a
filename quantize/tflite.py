"""TFLite: a plan written as a full-integer file, for LiteRT on processors and for the Edge TPU.

The file takes `picture`, (1, H, W, 3) uint8 BGR, and gives `classes` and `scores`, both (1, h, w) uint8, as what
`quantize.fold` makes does. Which grids an operator reads and writes stands in LiteRT's "8-bit quantization
specification"; which version of it takes INT8, in TensorFlow's `lite/tools/versioning/op_version.cc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantize.flat_file import KINDS
from quantize.flat_tensors import FlatTensors, refused, zero_of
from quantize.fold import NETWORK, POST, PRE, head
from quantize.grids import Grid
from quantize.plan import Style, fused_activation
from quantize.rounding import MOST
from quantize.windows import SAME, VALID, nearest_pixels, pair
from quantize.wiring import attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from quantize.plan import Plan

STYLE = Style(fuse_additions=False, share=("AveragePool", "Concat", "MaxPool", "Pad", "Resize"), whole=True)
"""What full-integer TFLite wants of a plan: operators that only move or mix numbers read and write one grid."""

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
ACTIVATIONS = {RELU: "RELU", RELU_N1_TO_1: "RELU_N1_TO_1", RELU6: "RELU6"}

UINT8, INT32, FLOAT32 = (KINDS[np.dtype(kind)] for kind in (np.uint8, np.int32, np.float32))
OPERATORS = {
    "Add": "_elementwise",
    "AveragePool": "_pool",
    "Clip": "_activation",
    "Concat": "_concat",
    "Conv": "_conv",
    "ConvTranspose": "_conv_transpose",
    "GlobalAveragePool": "_mean",
    "MaxPool": "_pool",
    "Mul": "_elementwise",
    "Pad": "_pad",
    "ReduceMean": "_mean",
    "Relu": "_activation",
    "Resize": "_resize",
    "Sigmoid": "_sigmoid",
    "Sub": "_elementwise",
}
"""Operators of ONNX that are written, and who writes each."""

PROBABILITY = Grid(1 / 256, 0, symmetric=False)
"""LOGISTIC writes this grid and no other."""


def write_tflite(model: onnx.ModelProto, plan: Plan | None) -> bytes:
    """Give the file.

    Args:
        model: the folded network, as `quantize.equalise` left it.
        plan: of `STYLE`; without one, the file computes in float32.

    Raises:
        ModelError: TFLite has no such operator as a node, which is named.
    """
    return _Writer(model, plan).written()


class _Writer(FlatTensors):
    def written(self) -> bytes:
        picture = self._front()
        fused: set[str] = set()
        for node in self._wiring.nodes:
            if not node.name.startswith(NETWORK) or node.name in fused:
                continue
            if node.op_type not in OPERATORS:
                raise refused(node, "TFLite has no integer operator for it")
            activation = fused_activation(node, self._wiring)
            if activation is not None:
                fused.add(activation.name)
            self._integer = self._is_integer(node)
            getattr(self, OPERATORS[node.op_type])(node, activation)
            if activation is not None:
                self._clamp(activation)
        last = head(self._wiring)
        self._integer = self._is_integer(last)
        return self._file.packed([picture], self._tail(last.output[0]))

    # Pictures

    def _front(self) -> int:
        """Take pictures: integer layers that take pixels as they come normalise them, else a layer of its own does."""
        mean, spread = self._normalisation
        entry = next(node for node in self._wiring.nodes if node.name == f"{PRE}divide").output[0]
        shape = self._nhwc(entry)
        self._integer = all(map(self._is_integer, self._wiring.readers[entry]))
        if self._pixels:
            grid = self._pixels.grid
            picture = self._file.tensor("picture", shape, np.uint8, grid.scale, grid.zero_point)
            self._places[entry] = self._tensor(entry, grid, shape)
            self._file.operator("QUANTIZE", 1, [picture], [self._places[entry]])
            return picture
        picture = self._file.tensor("picture", shape, np.uint8, 1.0 if self._integer else None)
        values = self._tensor(f"{PRE}values", Grid(1.0, 0, symmetric=False) if self._integer else None, shape)
        if self._integer:
            self._file.operator("QUANTIZE", 1, [picture], [values])
        else:
            kinds = {"inDataType": UINT8, "outDataType": FLOAT32}
            self._file.operator("CAST", 1, [picture], [values], table="CastOptions", **kinds)
        kernel = np.zeros((3, 1, 1, 3))
        kernel[range(3), 0, 0, self._colours()] = MOST if self._integer else 1 / spread
        scales = (1 / (MOST * spread)).astype(np.float32)
        layer = self._weights(
            PRE, kernel.astype(np.int8 if self._integer else np.float32), scales, -mean / spread, 1.0, 0
        )
        self._places[entry] = self._tensor(entry, self._grid(entry), shape)
        self._convolve("CONV_2D", [values, *layer], self._places[entry], VALID, (1, 1), (1, 1), NONE)
        return picture

    def _colours(self) -> list[int]:
        """Give which colour of a picture each of the network's is."""
        return [2, 1, 0] if any(node.name == f"{PRE}reverse" for node in self._wiring.nodes) else [0, 1, 2]

    def _tail(self, logits: str) -> list[int]:
        """Reduce logits to the most probable class of each pixel and its probability."""
        shape, given = self._nhwc(logits), self._place(logits)
        axis, flat = self._integers(f"{POST}axis", [3]), shape[:3]
        winners = self._file.tensor(f"{POST}winners", flat, np.int32)
        self._file.operator("ARG_MAX", 2, [given, axis], [winners], table="ArgMaxOptions", outputType=INT32)
        classes = self._file.tensor("classes", flat, np.uint8)
        self._file.operator("CAST", 1, [winners], [classes], table="CastOptions", inDataType=INT32, outDataType=UINT8)
        grid = PROBABILITY if self._integer else None
        probabilities = self._tensor(f"{POST}probabilities", grid, shape)
        self._file.operator("SOFTMAX", 2, [given], [probabilities], table="SoftmaxOptions", beta=1.0)
        greatest = self._tensor(f"{POST}greatest", grid, flat)
        self._file.operator("REDUCE_MAX", 2, [probabilities, axis], [greatest], table="ReducerOptions", keepDims=False)
        scores = self._file.tensor("scores", flat, np.uint8, 1 / 255)
        self._file.operator("QUANTIZE", 2, [greatest], [scores])
        return [classes, scores]

    # Layers with weights

    def _conv(self, node: onnx.NodeProto, activation: onnx.NodeProto | None) -> None:
        held, group, channels = self._held(node), attribute(node, "group", 1), self._shapes[node.input[0]][1]
        if self._pixels and node.input[0] == self._pixels.entry:
            held = self._pixels.taken_in(held)
        depthwise = group == channels and group > 1
        values, bias = held.values, np.zeros(len(held.values)) if held.bias is None else held.bias
        kernel = values.transpose(1, 2, 3, 0) if depthwise else values.transpose(0, 2, 3, 1)
        weights = self._weights(node.name, kernel, held.scales, bias, self._step(node), 3 if depthwise else 0)
        strides, dilations = pair(node, "strides"), pair(node, "dilations")
        given, padding = self._padded(node, values.shape[2:])
        made, kind = self._made(node, activation), "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        more = {"depthMultiplier": len(values) // channels} if depthwise else {}
        self._convolve(kind, [given, *weights], made, padding, strides, dilations, self._bound(activation), **more)

    def _convolve(
        self,
        kind: str,
        inputs: Sequence[int],
        made: int,
        padding: int,
        strides: tuple[int, int],
        dilations: tuple[int, int],
        bound: int,
        **more: int,
    ) -> None:
        table = "DepthwiseConv2DOptions" if more else "Conv2DOptions"
        options = {"padding": padding, "fusedActivationFunction": bound, **more}
        options |= {"strideH": strides[0], "strideW": strides[1]}
        options |= {"dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}
        self._file.operator(kind, 3, inputs, [made], table=table, **options)

    def _conv_transpose(self, node: onnx.NodeProto, activation: onnx.NodeProto | None) -> None:
        if attribute(node, "group", 1) > 1 or pair(node, "dilations") != (1, 1):
            raise refused(node, "TFLite transposes no grouped or dilated convolutions")
        held, name = self._held(node), (activation or node).output[0]
        grid, shape = self._grid(name), self._nhwc(name)
        bias = np.zeros(shape[3]) if held.bias is None else held.bias
        kernel = held.values.transpose(1, 2, 3, 0)
        weights, biases = self._weights(node.name, kernel, held.scales, bias, self._step(node), 0)
        first = tuple(attribute(node, "pads", (0, 0, 0, 0))[:2])
        (down, across), (rows, columns) = pair(node, "strides"), self._shapes[node.input[0]][2:]
        whole: tuple[int, ...] = (
            1,
            (rows - 1) * down + kernel.shape[1],
            (columns - 1) * across + kernel.shape[2],
            shape[3],
        )
        spare = tuple(max(k - s, 0) // 2 for k, s in zip(kernel.shape[1:3], (down, across), strict=True))
        padding = SAME if first == spare and shape[1:3] == (rows * down, columns * across) else VALID
        if padding == SAME:
            whole = shape
        elif any(made > full - cut for made, full, cut in zip(shape[1:3], whole[1:3], first, strict=True)):
            raise refused(node, "TFLite adds no rows or columns behind a transposed convolution")
        made = self._tensor(f"{node.name}/whole", grid, whole)
        inputs = [self._integers(f"{node.name}/shape", whole), weights, self._place(node.input[0]), biases]
        options = {"padding": padding, "strideH": down, "strideW": across}
        self._file.operator("TRANSPOSE_CONV", 3, inputs, [made], table="TransposeConvOptions", **options)
        if whole != shape:
            corner = self._integers(f"{node.name}/corner", (0, *first, 0))
            inputs = [made, corner, self._integers(f"{node.name}/size", shape)]
            made = self._tensor(f"{node.name}/cut", grid, shape)
            self._file.operator("SLICE", 2, inputs, [made], table="SliceOptions")
        bound = self._bound(activation)
        if bound != NONE and not (grid and grid.zero_point == 0):  # else the grid itself ends at 0
            inputs, made = [made], self._tensor(f"{node.name}/bounded", grid, shape)
            self._file.operator(ACTIVATIONS[bound], 2, inputs, [made])
        self._places[name] = made

    # Layers without

    def _elementwise(self, node: onnx.NodeProto, activation: onnx.NodeProto | None) -> None:
        kind = node.op_type
        inputs = [self._read(name, node) for name in node.input]
        made, bound = self._made(node, activation), self._bound(activation)
        self._file.operator(kind.upper(), 2, inputs, [made], table=f"{kind}Options", fusedActivationFunction=bound)

    def _concat(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        axis = {0: 0, 1: 3, 2: 1, 3: 2}[attribute(node, "axis") % 4]
        inputs = [self._read(name, node) for name in node.input]
        self._file.operator("CONCATENATION", 2, inputs, [self._made(node)], table="ConcatenationOptions", axis=axis)

    def _pool(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        if pair(node, "dilations") != (1, 1):
            raise refused(node, "TFLite pools without dilation only")
        greatest = node.op_type == "MaxPool"
        size, strides = attribute(node, "kernel_shape"), pair(node, "strides")
        given, padding = self._padded(node, size, lowest=greatest)
        counted = bool(attribute(node, "count_include_pad", 0))
        if not greatest and any(attribute(node, "pads", ())) and counted == (padding == SAME):
            raise refused(node, "TFLite's averages do not count their padding so")
        options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
        options |= {"filterHeight": size[0], "filterWidth": size[1]}
        kind = "MAX_POOL_2D" if greatest else "AVERAGE_POOL_2D"
        self._file.operator(kind, 2, [given], [self._made(node)], table="Pool2DOptions", **options)

    def _mean(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        given = node.input[1] if len(node.input) > 1 else ""
        axes = sorted(int(a) % 4 for a in self._wiring.constants[given]) if given else attribute(node, "axes", [2, 3])
        if list(axes) != [2, 3] or not attribute(node, "keepdims", 1):
            raise refused(node, "is written for means over rows and columns that are kept")
        inputs = [self._place(node.input[0]), self._integers(f"{node.name}/axes", [1, 2])]
        self._file.operator("MEAN", 2, inputs, [self._made(node)], table="ReducerOptions", keepDims=True)

    def _resize(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        before, after = self._shapes[node.input[0]][2:], self._shapes[node.output[0]][2:]
        mode = attribute(node, "mode", b"nearest").decode()
        grid = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
        options = {"alignCorners": grid == "align_corners", "halfPixelCenters": "half_pixel" in grid}
        if mode == "nearest":
            options = {"alignCorners": False, "halfPixelCenters": self._nearest(node, before, after, grid)}
        elif mode != "linear" or not (options["alignCorners"] or options["halfPixelCenters"] or grid == "asymmetric"):
            raise refused(node, f"TFLite resizes by nearest or linear, not {mode} {grid}")
        size = self._integers(f"{node.name}/size", after)
        kind, table = ("NEAREST_NEIGHBOR", "NearestNeighbor") if mode == "nearest" else ("BILINEAR", "Bilinear")
        self._file.operator(
            f"RESIZE_{kind}", 3 if any(options.values()) else 2, [self._place(node.input[0]), size],
            [self._made(node)], table=f"Resize{table}Options", **options,
        )  # fmt: skip

    @staticmethod
    def _nearest(node: onnx.NodeProto, before: Sequence[int], after: Sequence[int], grid: str) -> bool:
        """Say whether TFLite must take half-pixel centres to choose the pixels that ONNX chooses."""
        rule = attribute(node, "nearest_mode", b"round_prefer_floor").decode()
        sides = list(zip(before, after, strict=True))
        for half, theirs in enumerate((("asymmetric", "floor"), ("half_pixel", "round_prefer_ceil"))):
            if all(np.array_equal(nearest_pixels(*n, grid, rule), nearest_pixels(*n, *theirs)) for n in sides):
                return bool(half)
        raise refused(node, f"TFLite has no nearest pixels by {grid}, {rule}")

    def _pad(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        pads = [int(value) for value in self._wiring.constants[node.input[1]]]
        value = self._wiring.constants.get(node.input[2]) if len(node.input) > 2 else None
        if attribute(node, "mode", b"constant") != b"constant" or (value is not None and value.any()):
            raise refused(node, "TFLite's integers are padded with zeros only")
        first, last = ([part[0], part[2], part[3], part[1]] for part in (pads[:4], pads[4:]))
        places = self._integers(f"{node.name}/pads", np.stack([first, last], axis=1))
        self._file.operator("PAD", 2, [self._place(node.input[0]), places], [self._made(node)], table="PadOptions")

    def _sigmoid(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        if not self._integer:
            self._file.operator("LOGISTIC", 1, [self._place(node.input[0])], [self._made(node)])
            return
        bounded = self._tensor(f"{node.name}/probability", PROBABILITY, self._nhwc(node.output[0]))
        self._file.operator("LOGISTIC", 2, [self._place(node.input[0])], [bounded])
        self._file.operator("QUANTIZE", 2, [bounded], [self._made(node)])

    def _activation(self, node: onnx.NodeProto, _: onnx.NodeProto | None) -> None:
        given, bound = self._place(node.input[0]), self._bound(node)
        if bound == NONE and not self._integer:
            self._places[node.output[0]] = given
        else:
            self._file.operator(ACTIVATIONS.get(bound, "QUANTIZE"), 2, [given], [self._made(node)])
        self._clamp(node)

    def _bound(self, node: onnx.NodeProto | None) -> int:
        """Give TFLite's name for an activation; NONE for those that it has none for, which `_clamp` takes care of."""
        low, high = self._bounds(node)
        if low == 0:
            return RELU6 if high == 6 else RELU
        return RELU_N1_TO_1 if (low, high) == (-1, 1) else NONE

    def _clamp(self, node: onnx.NodeProto) -> None:
        """Carry out what the name of an activation leaves out, as far as the grid does not end there anyway."""
        low, high = self._bounds(node)
        bound, name = self._bound(node), node.output[0]
        grid = self._grid(name)
        ends = (grid.scale * -grid.zero_point, grid.scale * (255 - grid.zero_point)) if grid else (-np.inf, np.inf)
        slack = grid.scale / 2 if grid else 0
        if bound == NONE and low > ends[0] + slack:
            self._places[name] = self._against("MAXIMUM", name, low)
        if bound in (NONE, RELU) and high < ends[1] - slack:
            self._places[name] = self._against("MINIMUM", name, high)

    def _against(self, kind: str, name: str, limit: float) -> int:
        grid, label = self._grid(name), f"{name}/{kind.lower()}"
        if grid:
            held = np.array(np.round(limit / grid.scale) + zero_of(grid), np.int8)
            constant = self._file.constant(f"{label}/limit", held, grid.scale, zero_of(grid))
        else:
            constant = self._file.constant(f"{label}/limit", np.array(limit, np.float32))
        made = self._tensor(label, grid, self._nhwc(name))
        self._file.operator(kind, 2, [self._place(name), constant], [made], table="MaximumMinimumOptions")
        return made

    def _bounds(self, node: onnx.NodeProto | None) -> tuple[float, float]:
        if node is None:
            return -np.inf, np.inf
        if node.op_type == "Relu":
            return 0, np.inf
        given = [self._wiring.constants.get(name) for name in (*node.input[1:], "", "")[:2]]
        low, high = (float(v) if v is not None else b for v, b in zip(given, (-np.inf, np.inf), strict=True))
        return low, high
