"""Tensors of a TFLite file, under the names they have in an ONNX graph; rounded as a plan says, or in float."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import shape_inference

from edge.errors import ModelError
from quantize.canonical import shapes_of
from quantize.flat_file import FlatFile
from quantize.fold import NETWORK, PRE
from quantize.grids import Grid, grid_over
from quantize.pixels import pixels_of
from quantize.rounding import Weights
from quantize.windows import VALID, laid
from quantize.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from quantize.plan import Plan

LOWEST = -128
LARGEST_BIAS = 2**30
"""Biases are INT32, in steps of input times weight."""


class FlatTensors:
    """What flows through a file that is being written, and its constants."""

    def __init__(self, model: onnx.ModelProto, plan: Plan | None) -> None:
        graph = shape_inference.infer_shapes(model).graph
        self._wiring = Wiring(graph)
        self._plan = plan
        self._integer = plan is not None  # whether what is being written computes in integers
        self._shapes = shapes_of(graph)
        self._normalisation = tuple(self._wiring.constants[f"{PRE}{name}"].ravel() for name in ("mean", "std"))
        self._file = FlatFile("edgeloupe")
        self._in_kind: dict[bool, dict[str, int]] = {False: {}, True: {}}  # in float, and in integers
        self._pixels = pixels_of(self._wiring, plan) if plan else None

    @property
    def _places(self) -> dict[str, int]:
        """What flows in the kind of numbers that is being written, by its name in the graph."""
        return self._in_kind[self._integer]

    def _is_integer(self, node: onnx.NodeProto) -> bool:
        return self._plan is not None and node.name not in self._plan.spared

    def _place(self, name: str) -> int:
        """Give what flows in; in the other kind of numbers, where it was made in one."""
        if name not in self._places:
            made = self._in_kind[not self._integer][name]
            suffix = "integers" if self._integer else "float"
            self._places[name] = self._tensor(f"{name}/{suffix}", self._grid(name), self._nhwc(name))
            kind, version = ("QUANTIZE", 1) if self._integer else ("DEQUANTIZE", 2)
            self._file.operator(kind, version, [made], [self._places[name]])
        return self._places[name]

    def _grid(self, name: str) -> Grid | None:
        if self._pixels and self._integer and name == self._pixels.entry:
            return self._pixels.grid
        return self._plan.grids[name] if self._plan and self._integer else None

    def _tensor(self, name: str, grid: Grid | None, shape: Sequence[int]) -> int:
        if grid is None:
            return self._file.tensor(name, shape, np.float32)
        return self._file.tensor(name, shape, np.int8, grid.scale, zero_of(grid))

    def _made(self, node: onnx.NodeProto, activation: onnx.NodeProto | None = None) -> int:
        """Add the tensor that a node, or the activation carried out with it, makes."""
        name = (activation or node).output[0]
        self._places[name] = self._tensor(name, self._grid(name), self._nhwc(name))
        return self._places[name]

    def _nhwc(self, name: str) -> tuple[int, ...]:
        shape = self._shapes.get(name, [])
        if len(shape) != 4:
            raise ModelError(
                f"tensor {name!r}: has {len(shape)} dimensions: TFLite files are written for maps, which have 4"
            )
        return shape[0], shape[2], shape[3], shape[1]

    def _read(self, name: str, node: onnx.NodeProto) -> int:
        """Give what flows in, or a constant as integers."""
        if name not in self._wiring.constants:
            return self._place(name)
        values = self._wiring.constants[name]
        values = values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(0, 2, 3, 1)
        if not self._integer:
            return self._file.constant(f"{node.name}/{name}", values.astype(np.float32))
        grid = grid_over(float(values.min()), float(values.max()), symmetric=False)
        integers = np.clip(np.round(values / grid.scale) + grid.zero_point, 0, 255) + LOWEST
        return self._file.constant(f"{node.name}/{name}", integers.astype(np.int8), grid.scale, zero_of(grid))

    def _integers(self, name: str, values: Sequence[int] | NDArray[np.integer]) -> int:
        return self._file.constant(name, np.asarray(values, np.int32))

    def _held(self, node: onnx.NodeProto) -> Weights:
        """Give a layer's weights as integers; as they are in a file that computes in float."""
        if self._plan and self._integer and node.name in self._plan.weights:
            return self._plan.weights[node.name]
        if self._integer or node.input[1] not in self._wiring.constants:
            raise refused(node, "its weights are computed: TFLite's integer layers need constant ones")
        values, *more = (self._wiring.constants[name] for name in node.input[1:])
        axis = 1 if node.op_type == "ConvTranspose" else 0
        return Weights(values, np.ones(values.shape[axis], np.float32), axis, more[0] if more else None)

    def _step(self, node: onnx.NodeProto) -> float:
        """Give the step of what a layer reads."""
        grid = self._grid(node.input[0])
        return grid.scale if grid else 1.0

    def _weights(
        self, name: str, kernel: NDArray[Any], scales: NDArray[np.float32], bias: NDArray[Any], step: float, axis: int
    ) -> tuple[int, int]:
        """Add a layer's weights and biases; where a bias would not fit its integer, the channel's steps grow."""
        names = (f"{name}/weights", f"{name}/bias")
        if not self._integer:
            both = (np.ascontiguousarray(kernel), bias.astype(np.float32))
            return self._file.constant(names[0], both[0]), self._file.constant(names[1], both[1])
        grown = np.maximum(scales, np.abs(bias) / step / LARGEST_BIAS).astype(np.float32)
        if (grown > scales).any():
            shape = [-1 if place == axis else 1 for place in range(kernel.ndim)]
            kernel = np.round(kernel * (scales / grown).reshape(shape)).astype(np.int8)
        weights = self._file.constant(names[0], np.ascontiguousarray(kernel), grown, axis=axis)
        steps = grown * np.float32(step)
        return weights, self._file.constant(names[1], np.round(bias / steps).astype(np.int32), steps)

    def _padded(self, node: onnx.NodeProto, size: Sequence[int], *, lowest: bool = False) -> tuple[int, int]:
        """Give what a window runs over and TFLite's padding; where that does not do, a layer of its own pads."""
        name, place = node.input[0], self._place(node.input[0])
        found = laid(node, size, self._shapes[name][2:], self._shapes[node.output[0]][2:])
        if not found.needs_padding:
            return place, found.padding
        pads = np.array([(0, 0), *zip(found.before, found.after, strict=True), (0, 0)], np.int32)
        shape = [n + int(more) for n, more in zip(self._nhwc(name), pads.sum(axis=1), strict=True)]
        inputs = [place, self._integers(f"{node.name}/pads", pads)]
        grid = self._grid(name)
        padded = self._tensor(f"{node.name}/padded", grid, shape)
        if lowest and not (grid and grid.zero_point == 0):
            least = np.array(LOWEST, np.int8) if grid else np.array(-np.inf, np.float32)
            of_grid = (grid.scale, zero_of(grid)) if grid else ()
            inputs.append(self._file.constant(f"{node.name}/lowest", least, *of_grid))
            self._file.operator("PADV2", 2, inputs, [padded], table="PadV2Options")
        else:
            self._file.operator("PAD", 2, inputs, [padded], table="PadOptions")
        return padded, VALID


def zero_of(grid: Grid) -> int:
    """Give a grid's zero point as INT8."""
    return grid.zero_point + (0 if grid.symmetric else LOWEST)


def refused(node: onnx.NodeProto, why: str) -> ModelError:
    """Name a node that can't be written."""
    return ModelError(f"node {node.name.removeprefix(NETWORK)!r} ({node.op_type}): {why}")
