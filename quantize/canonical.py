"""Canonical: whatever float ONNX file a segmentation network came in, one static graph of plain operators goes on.

Batch normalisation is folded, constants are computed, layouts are turned to NCHW, dynamic sizes are fixed. ONNX Runtime
does the folding, at the level where it keeps to standard operators; what is its own is the refusal: whatever later
steps could not quantise is named here, with its node.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference, version_converter

from edge.errors import ModelError
from quantize.opset import IR_VERSION, MOST_NUMBERS, OPSET
from quantize.session import Level, open_session, reason, run_session
from quantize.wiring import forget_unneeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

OLDEST, NEWEST = 7, 21
"""Opsets that are read."""

STANDARD = ("", "ai.onnx")

OTHERS = {
    b"<?xml": "OpenVINO IR, which nothing turns back: export the network it was made from to ONNX, in float",
    b"<net": "OpenVINO IR, which nothing turns back: export the network it was made from to ONNX, in float",
    b"PK\x03\x04": "an archive, perhaps a checkpoint: `edgeloupe export` makes ONNX of one",
    b"\x89HDF": "a Keras file: export the network to ONNX, in float",
}
"""What networks in other formats have among their first bytes, and what to do with them."""

FLAT = b"TFL3"
"""What a TFLite file has behind its first four bytes."""

_RESIZE_NAMES_ITS_GRID = 11
"""From this opset on `Resize` says where its samples lie; before, the first pixels' corners always met."""

CHANNELS = range(1, 5)
"""Of pictures."""

TOLERANCE = 1e-4
"""Share of the largest output by which the simplified network may differ: folding changes how sums are rounded."""


def canonical(model: onnx.ModelProto, where: str, size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """Give the same network as a static NCHW graph at opset 18; `model` is left as it is.

    Args:
        model: a float network from one picture to one map, of any opset from 7 to 21.
        where: stands in the errors.
        size: width and height of pictures, for a network that leaves them open.

    Raises:
        ModelError: it can't be done; names the node or the tensor.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _refuse(copy, where)
    _close(copy, where, size)
    _turn(copy)
    _check_sizes(copy, where)
    copy = _optimised(_upgraded(_optimised(copy, where), where), where)
    _tidy(copy.graph)
    _check_static(copy, where)
    _spell_out_padding(copy.graph)
    _compare(model, copy, where)
    return copy


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file that is whole in itself, or a float TFLite file as what it is in ONNX.

    Raises:
        ModelError: unreadable, not valid, or with weights in other files.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}: give a float ONNX file") from error
    for sign, told in OTHERS.items():
        if sign in content[:16]:
            raise ModelError(f"{path}: is {told}")
    model = _parsed(content, path)
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{path}: keeps weights in other files: save it as one file")
    if not model.graph.output:
        raise ModelError(f"{path}: gives nothing: a network of one picture and one map is wanted")
    for node in _nodes(model.graph):
        texts: tuple[object, ...] = (node.name, node.op_type, node.domain, *node.input, *node.output)
        if not all(isinstance(text, str) for text in texts):  # protobuf gives bytes that are no UTF-8 as they are
            raise ModelError(
                f"{path}: not a valid ONNX file: a node of kind {node.op_type!r} has a name that is no text"
            )
    for tensor in _tensors(model.graph):
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"{path}: weight {tensor.name!r}: has other numbers than its shape says: {error}"
            ) from error
    return model


def _parsed(content: bytes, path: Path) -> onnx.ModelProto:
    if content[4:8] == FLAT:
        from quantize.unflatten import unflatten  # noqa: PLC0415 - needs LiteRT, which ONNX files don't

        return unflatten(content, str(path))
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # protobuf and the checker have their own errors, rooted in Exception alone
        raise ModelError(f"{path}: not a valid ONNX file: {str(error).strip().splitlines()[0][:160]}") from error
    return model


def image_input(graph: onnx.GraphProto, where: str) -> onnx.ValueInfoProto:
    """Find the one input that is no weight. Raises ModelError."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise ModelError(f"{where}: has {len(inputs)} inputs ({names}): a network of one picture is wanted")
    picture: onnx.ValueInfoProto = inputs[0]
    return picture


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Give the dimensions; 0 where one is open."""
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def shapes_of(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Give the dimensions of what flows, by name, as far as they are known."""
    return {value.name: shape_of(value) for value in (*graph.input, *graph.value_info, *graph.output)}


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """List the nodes, those of branches and loop bodies among them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """List all constants that the file holds."""
    yield from graph.initializer
    for node in _nodes(graph):
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _called(node: onnx.NodeProto) -> str:
    return f"node {node.name!r} ({node.op_type})" if node.name else f"the {node.op_type} that makes {node.output[0]!r}"


def _set(node: onnx.NodeProto, **attributes: Any) -> None:
    """Give a node these attributes, in place of those it had by their names; None takes one away."""
    kept = [a for a in node.attribute if a.name not in attributes]
    del node.attribute[:]
    node.attribute.extend(
        [*kept, *(helper.make_attribute(name, value) for name, value in attributes.items() if value is not None)]
    )


def _refuse(model: onnx.ModelProto, where: str) -> None:
    """Refuse what no later step could make sense of."""
    opset = next((o.version for o in model.opset_import if o.domain in STANDARD), 0)
    if not OLDEST <= opset <= NEWEST:
        raise ModelError(f"{where}: is of opset {opset}: opsets {OLDEST} to {NEWEST} are read: export it anew")
    for node in _nodes(model.graph):
        if node.domain not in STANDARD:
            raise ModelError(
                f"{where}: {_called(node)} is of domain {node.domain!r}: export it with operators of ai.onnx only"
            )
        if node.op_type in (
            "QuantizeLinear",
            "DequantizeLinear",
            "QLinearConv",
            "ConvInteger",
            "DynamicQuantizeLinear",
        ):
            raise ModelError(f"{where}: {_called(node)}: is quantised already: give the float network")
    for tensor in model.graph.initializer:
        if (
            tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
            and not np.isfinite(numpy_helper.to_array(tensor)).all()
        ):
            raise ModelError(
                f"{where}: weight {tensor.name!r} is not finite: the training went wrong, or the file is cut"
            )


def _close(model: onnx.ModelProto, where: str, size: tuple[int, int] | None) -> None:
    """Take the weights off the list of inputs, and give every open dimension of the picture a number."""
    graph = model.graph
    picture = onnx.ValueInfoProto()
    picture.CopyFrom(image_input(graph, where))
    del graph.input[:]
    graph.input.append(picture)
    kept = graph.input[0]
    if kept.type.tensor_type.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(kept.type.tensor_type.elem_type)
        raise ModelError(f"{where}: input {kept.name!r} is {kind}: must be FLOAT, export it in single precision")
    shape = shape_of(kept)
    if len(shape) != 4:
        raise ModelError(
            f"{where}: input {kept.name!r} has shape {shape}: must be a batch of pictures, four dimensions"
        )
    if shape[0] > 1:
        raise ModelError(f"{where}: takes {shape[0]} pictures at once: export it with a batch of one")
    places = (2, 3) if _channels_first(shape, where) else (1, 2)
    sides = dict(zip(places, (size[1], size[0]) if size else (0, 0), strict=True))
    for place, dim in enumerate(kept.type.tensor_type.shape.dim):
        told = 1 if place == 0 else dim.dim_value or sides.get(place, 0)
        if size and place in sides and dim.dim_value not in (0, sides[place]):
            raise ModelError(f"{where}: takes pictures of {shape} only, {size[0]}x{size[1]} is asked for")
        if not told:
            raise ModelError(f"{where}: leaves the size of pictures open: say which it is to be made for")
        dim.dim_value = told
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]


def _channels_first(shape: list[int], where: str) -> bool:
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first == last:
        raise ModelError(f"{where}: input of shape {shape}: can't tell its channels, 1 to 4 of them, from its sides")
    return first


def _turn(model: onnx.ModelProto) -> None:
    """Let an NHWC network take and give NCHW; the optimiser moves the transpositions together and drops them."""
    graph = model.graph
    shape = shape_of(graph.input[0])
    if shape[1] in CHANNELS:
        return
    given, wanted = graph.input[0].name, graph.output[0].name
    inner_in, inner_out = f"{given}/nhwc", f"{wanted}/nhwc"
    for node in graph.node:
        node.input[:] = [inner_in if name == given else name for name in node.input]
        node.input[:] = [inner_out if name == wanted else name for name in node.input]
        node.output[:] = [inner_out if name == wanted else name for name in node.output]
    graph.node.insert(0, helper.make_node("Transpose", [given], [inner_in], name="to_nhwc", perm=[0, 2, 3, 1]))
    graph.node.append(helper.make_node("Transpose", [inner_out], [wanted], name="to_nchw", perm=[0, 3, 1, 2]))
    graph.input[0].CopyFrom(
        helper.make_tensor_value_info(given, TensorProto.FLOAT, [shape[0], shape[3], shape[1], shape[2]])
    )


def _check_sizes(model: onnx.ModelProto, where: str) -> None:
    """Refuse what would fill the memory, before anything is computed."""
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:  # its errors share no root but Exception
        raise ModelError(f"{where}: its shapes don't go together: {reason(error)}") from error
    sizes = {name: math.prod(shape) for name, shape in shapes_of(graph).items()}
    for node in graph.node:
        most = max((sizes.get(name, 0) for name in node.output), default=0)
        if most > MOST_NUMBERS:
            raise ModelError(
                f"{where}: {_called(node)}: makes {most} numbers, more than {MOST_NUMBERS}: no device holds them"
            )


def _optimised(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Fold what is constant, and normalisation into convolutions."""
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(model, where, Level.ORT_ENABLE_BASIC, path)
        found = onnx.load(path)
    found.ir_version = max(found.ir_version, IR_VERSION)
    used = {node.domain for node in _nodes(found.graph)}
    kept = [entry for entry in found.opset_import if entry.domain in STANDARD or entry.domain in used]
    del found.opset_import[:]
    found.opset_import.extend(kept)
    return found


def _upgraded(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    opset = next(entry.version for entry in model.opset_import if entry.domain in STANDARD)
    if opset == OPSET:
        return model
    try:
        found = version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter's errors share no root but Exception
        raise ModelError(f"{where}: can't be brought to opset {OPSET}: {reason(error)}") from error
    if opset < _RESIZE_NAMES_ITS_GRID:  # the converter takes the new default instead
        for node in found.graph.node:
            if node.op_type == "Resize":
                _set(node, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return found


def _tidy(graph: onnx.GraphProto) -> None:
    """Drop what leads nowhere, and give every node a name of its own and no inputs that are left out at the end."""
    forget_unneeded(graph)
    taken: set[str] = set()
    for number, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{number}"
        taken.add(node.name)
        while node.input and not node.input[-1]:
            node.input.pop()


def _check_static(model: onnx.ModelProto, where: str) -> None:
    """Fill in every shape; refuse what stays open, and what runs by choice."""
    for node in model.graph.node:
        if node.op_type in ("If", "Loop", "Scan"):
            raise ModelError(f"{where}: {_called(node)}: decides while it runs: export it without branches")
    inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    model.CopyFrom(inferred)
    known = {value.name: shape_of(value) for value in (*model.graph.value_info, *model.graph.output)}
    for node in model.graph.node:
        for name in filter(None, node.output):
            if not all(known.get(name, [0])) and known.get(name) != []:
                raise ModelError(f"{where}: {_called(node)}: the shape of its output depends on the picture")


def _spell_out_padding(graph: onnx.GraphProto) -> None:
    """Write the padding of windows in numbers, where it is only said that sizes are to stay the same."""
    shapes = shapes_of(graph) | {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type not in ("Conv", "MaxPool", "AveragePool") or told.get("auto_pad", b"NOTSET") == b"NOTSET":
            continue
        window = told.get("kernel_shape") or shapes[node.input[1]][2:]
        steps, spread = told.get("strides", [1] * len(window)), told.get("dilations", [1] * len(window))
        given, made = shapes[node.input[0]][2:], shapes[node.output[0]][2:]
        sums = [
            max(0, (m - 1) * step + (w - 1) * d + 1 - g) if told["auto_pad"] != b"VALID" else 0
            for g, m, step, w, d in zip(given, made, steps, window, spread, strict=True)
        ]
        less, more = [total // 2 for total in sums], [total - total // 2 for total in sums]
        first, last = (more, less) if told["auto_pad"] == b"SAME_LOWER" else (less, more)
        _set(node, auto_pad=None, pads=[*first, *last])


def _compare(given: onnx.ModelProto, found: onnx.ModelProto, where: str) -> None:
    """Run both on noise: a conversion that changes the numbers has to be noticed here, not on the line."""
    picture = found.graph.input[0]
    noise = np.random.default_rng(0).normal(size=shape_of(picture)).astype(np.float32)
    ours = _run(found, picture.name, noise, where)
    turned = shape_of(image_input(given.graph, where))[1] not in CHANNELS
    theirs = _run(given, picture.name, np.ascontiguousarray(noise.transpose(0, 2, 3, 1)) if turned else noise, where)
    if turned:
        theirs = theirs.transpose(0, 3, 1, 2)
    if not np.isfinite(theirs).all():
        raise ModelError(f"{where}: gives numbers that are not finite: the training went wrong, or the file is cut")
    if (
        ours.shape != theirs.shape
        or not np.isfinite(ours).all()
        or np.abs(ours - theirs).max() > TOLERANCE * max(1, np.abs(theirs).max())
    ):
        raise ModelError(f"{where}: gives other numbers once it is simplified: please report it, with the file")


def _run(model: onnx.ModelProto, name: str, picture: NDArray[np.float32], where: str) -> NDArray[np.float32]:
    session = open_session(model, where, Level.ORT_DISABLE_ALL)
    (value,) = run_session(session, [model.graph.output[0].name], {name: picture}, where)
    return np.asarray(value, np.float32)
