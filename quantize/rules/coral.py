"""What the Edge TPU maps of a TFLite file, as far as the file alone can tell.

The compiler maps one part: all operators up to the first that it can't map, in the order they run; that one and
whatever comes behind it stay on the processor. The rules are those of Coral's page "TensorFlow models on the Edge TPU"
(table of supported operations) and of the issues of google-coral/edgetpu; what they say of resizing was held against
files that Coral's own compiler made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ModelError
from quantize.flat_file import is_flat, parse_flat
from quantize.fold import POST
from quantize.rules import Finding, Rule, neutral
from quantize.tflite import write_tflite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from quantize.flat_file import FlatGraph, FlatOperator

_PAGE = "Coral, TensorFlow models on the Edge TPU"

SUBGRAPH = Rule(name="one-subgraph", asks="one subgraph", instead="write no loops or conditions", source=_PAGE)
STATIC = Rule(
    name="static-shapes",
    asks="sizes that are fixed",
    instead="export with a fixed batch and picture size",
    source=_PAGE,
)
INTEGERS = Rule(
    name="integers",
    asks="INT8 or UINT8 all through, biases in INT32",
    instead="quantise all of it: one operator in floating point ends the part that maps",
    source=_PAGE,
)
OPERATOR = Rule(
    name="operator",
    asks="operators on its list",
    instead="leave this operator out, or behind the network",
    source=_PAGE,
)
VERSION = Rule(
    name="version",
    asks="versions of operators that its compiler knows",
    instead="resize to the nearest pixel without half-pixel centres",
    source="google-coral/edgetpu issues 187, 206 and 420",
)
ACTIVATION = Rule(
    name="fused-activation",
    asks="pooling and concatenation without a fused activation",
    instead="put the activation behind it",
    source=_PAGE,
)
DILATION = Rule(
    name="dilation",
    asks="the same dilation along rows and columns",
    instead="dilate both alike",
    source=_PAGE,
)
GROUPS = Rule(
    name="groups",
    asks="convolutions of all channels, or depthwise ones",
    instead="train without groups",
    source=f"{_PAGE}: no operator for grouped convolutions",
)
RESIZE = Rule(
    name="resize",
    asks="resizing to at most four times the size",
    instead="resize in steps of two, or behind the network",
    source="google-coral/edgetpu issue 31; compiled files map 2 times and leave 16 and 33 times to the processor",
)
SOFTMAX = Rule(
    name="softmax",
    asks="softmax over at most 16,000 numbers",
    instead="leave it behind the network",
    source=_PAGE,
)
STRIDE = Rule(name="slice-stride", asks="slices with a stride of 1", instead="use a strided convolution", source=_PAGE)
CONSTANT = Rule(
    name="constant-parameters",
    asks="weights, sizes and axes that are constants",
    instead="fold whatever computes them",
    source=_PAGE,
)
CONCAT = Rule(
    name="shared-scale",
    asks="one scale and zero point for what a concatenation reads and makes",
    instead="give them one grid: else numbers are rounded once more",
    source="LiteRT, 8-bit quantization specification",
    breaks=False,
)
BEHIND = Rule(
    name="behind-the-network",
    asks="nothing of what comes behind the network",
    instead="it runs on the processor, and is meant to",
    source="this project: classes and scores are made of the logits there",
    breaks=False,
)
FRONT = Rule(
    name="before-the-network",
    asks="pictures as bytes",
    instead="take UINT8 or INT8 in: this runs on the processor",
    source="compiled files: QUANTIZE and CAST of the input are left to the processor",
    breaks=False,
)
DONE = Rule(
    name="compiled",
    asks="nothing more",
    instead="the operators behind it, if any, run on the processor",
    source=_PAGE,
    breaks=False,
)
PART = Rule(
    name="one-part",
    asks="that the first operator it can't map is the last of the network",
    instead="mend the finding above it",
    source=f"{_PAGE}: operators behind the first that is not mapped run on the processor",
)

NEWEST = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "EXPAND_DIMS": 1,
    "FULLY_CONNECTED": 4, "L2_NORMALIZATION": 2, "LOGISTIC": 2, "LSTM": 1, "MAXIMUM": 2, "MAX_POOL_2D": 2, "MEAN": 2,
    "MINIMUM": 2, "MUL": 2, "PACK": 2, "PAD": 2, "PRELU": 1, "QUANTIZE": 2, "REDUCE_MAX": 2, "REDUCE_MIN": 2,
    "RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 1, "RESHAPE": 1, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 2,
    "RSQRT": 1, "SLICE": 2, "SOFTMAX": 2, "SPACE_TO_DEPTH": 2, "SPLIT": 2, "SQUARED_DIFFERENCE": 1, "SQUEEZE": 1,
    "STRIDED_SLICE": 2, "SUB": 2, "SUM": 1, "TANH": 2, "TRANSPOSE": 2, "TRANSPOSE_CONV": 3,
}  # fmt: skip
"""Operators on the list, and the newest version of each that INT8 files have had when its compiler was last made."""

BYTES = ("INT8", "UINT8")
ENTRANCE = ("QUANTIZE", "CAST")
"""Operators that the compiler leaves to the processor in front of the part it maps."""

COMPILED = "edgetpu-custom-op"
LARGEST_FACTOR = 4
LARGEST_SOFTMAX = 16_000

PARAMETERS = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "TRANSPOSE_CONV": (0, 1), "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,), "PAD": (1,), "MEAN": (1,), "REDUCE_MAX": (1,), "FULLY_CONNECTED": (1,),
}  # fmt: skip
"""Which inputs must be constants."""


def check(path: Path) -> list[Finding]:
    """List what the compiler would not map of a TFLite file, or of one that is written of a float ONNX file.

    Raises:
        ModelError: it can't be read, or TFLite has no such operators.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}: give a TFLite or an ONNX file") from error
    if is_flat(content):
        return check_graph(parse_flat(content, str(path)))
    written = parse_flat(write_tflite(neutral(path), None), str(path))
    return check_graph(written, integers=False)


def check_graph(graph: FlatGraph, *, integers: bool = True) -> list[Finding]:
    """List what the compiler would not map, in the order it runs, and what follows from it.

    Args:
        graph: of a TFLite file.
        integers: whether it is quantised already; else number types and what only quantising leaves out are not judged.
    """
    findings = []
    if graph.subgraphs != 1:
        findings.append(Finding(rule=SUBGRAPH, node="the file", what=f"has {graph.subgraphs} subgraphs"))
    network = [operator for operator in graph.operators if not is_behind(operator)]
    first, last = _part(network, integers=integers)
    findings += [_aside(FRONT, operator) for operator in network[:first]]
    for place, operator in enumerate(network[first:], first):
        findings += [
            Finding(rule=rule, node=_called(operator), what=what) for rule, what in _judge(operator, integers=integers)
        ]
        if place == last:
            what = f"from here on {len(network) - last} of {len(network)} operators run on the processor"
            findings.append(Finding(rule=PART, node=_called(operator), what=what))
    return [*findings, *(_aside(BEHIND, operator) for operator in graph.operators if is_behind(operator))]


def mapped(graph: FlatGraph) -> int:
    """Count the operators that the compiler puts on the Edge TPU."""
    first, last = _part([operator for operator in graph.operators if not is_behind(operator)])
    return last - first


def _part(operators: Sequence[FlatOperator], *, integers: bool = True) -> tuple[int, int]:
    """Find the one part that is mapped: behind what only takes pictures in, up to the first that can't be mapped."""
    fits = [not any(rule.breaks for rule, _ in _judge(one, integers=integers)) for one in operators]
    first = next((place for place, one in enumerate(operators) if fits[place] or one.name not in ENTRANCE), 0)
    last = next((place for place in range(first, len(fits)) if not fits[place]), len(fits))
    return first, last


def _aside(rule: Rule, operator: FlatOperator) -> Finding:
    return Finding(rule=rule, node=_called(operator), what=f"{operator.name} runs on the processor")


def _called(operator: FlatOperator) -> str:
    return operator.outputs[0].name if operator.outputs else operator.name


def is_behind(operator: FlatOperator) -> bool:
    """Say whether an operator only makes classes and scores of logits."""
    return any(tensor.name.startswith(POST) for tensor in (*operator.inputs, *operator.outputs))


def _judge(operator: FlatOperator, *, integers: bool = True) -> Iterator[tuple[Rule, str]]:
    name, options = operator.name, operator.options
    kinds = {tensor.kind for tensor in (*operator.inputs, *operator.outputs) if not tensor.constant}
    kinds |= {tensor.kind for tensor in operator.inputs if tensor.constant and len(tensor.shape) > 1} - {"INT32"}
    if any(tensor.open for tensor in (*operator.inputs, *operator.outputs)):
        yield STATIC, f"{name} has an open size"
    if integers and not kinds <= set(BYTES):
        yield INTEGERS, f"{name} computes in {', '.join(sorted(kinds - set(BYTES)))}"
    if name == COMPILED:
        yield DONE, "is compiled for the Edge TPU already"
        return
    if name not in NEWEST:
        if integers or name not in ENTRANCE:
            yield OPERATOR, f"{name} is not on the list"
        return
    if operator.version > NEWEST[name]:
        yield VERSION, f"{name} has version {operator.version}, at most {NEWEST[name]} is known"
    if options.get("fusedActivationFunction") and name in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION"):
        yield ACTIVATION, f"{name} has an activation"
    if options.get("dilationWFactor", 1) != options.get("dilationHFactor", 1):
        yield DILATION, f"{name} is dilated by {options['dilationHFactor']} and {options['dilationWFactor']}"
    for place in PARAMETERS.get(name, ()):
        if place < len(operator.inputs) and not operator.inputs[place].constant:
            yield CONSTANT, f"{name} computes its {operator.inputs[place].name!r}"
    yield from _judge_sizes(operator)
    if name == "CONCATENATION":
        grids = {(tensor.scales, tensor.zero_points) for tensor in (*operator.inputs, *operator.outputs)}
        if len(grids) > 1:
            yield CONCAT, f"joins {len(grids)} grids"


def _judge_sizes(operator: FlatOperator) -> Iterator[tuple[Rule, str]]:
    name = operator.name
    given, made = operator.inputs[0].shape, operator.outputs[0].shape
    if name == "CONV_2D" and len(given) == 4 and operator.inputs[1].shape[3] != given[3]:
        yield GROUPS, f"CONV_2D reads {operator.inputs[1].shape[3]} of {given[3]} channels at a time"
    if name.startswith("RESIZE_") and len(given) == len(made) == 4:
        factor = max(made[1] / given[1], made[2] / given[2])
        if factor > LARGEST_FACTOR:
            yield RESIZE, f"{name} makes {made[1]}x{made[2]} of {given[1]}x{given[2]}"
    if name == "SOFTMAX":
        count = 1
        for side in given:
            count *= side
        if count > LARGEST_SOFTMAX:
            yield SOFTMAX, f"SOFTMAX is over {count} numbers"
    if name == "STRIDED_SLICE":
        yield STRIDE, "STRIDED_SLICE is not read here: its strides may not be 1"
