"""OpenVINO on Intel and AMD processors: our own plan, or NNCF's where that agrees better, kept as OpenVINO IR."""

from __future__ import annotations

import logging
import os
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET

import onnx
import openvino
from openvino._offline_transformations import apply_moc_transformations
from tqdm import tqdm

from edge.errors import ModelError
from edge.runtimes.openvino import core
from quantize.canonical import read_onnx
from quantize.fold import POST, PRE
from quantize.plan import Style, make_plan
from quantize.qdq import write_qdq
from quantize.tail import compared
from quantize.targets import OWN, Candidate, part_in_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.picture import Picture
    from quantize.targets import Network


FEW = 16
"""With so few channels to read, oneDNN's older kernel for dense convolutions is the faster one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """One set of NNCF options."""

    preset: Literal["PERFORMANCE", "MIXED"]  # symmetric activations, or asymmetric ones
    ranges: Literal["minmax", "mean"]
    correct_bias: bool

    @property
    def text(self) -> str:
        bias = "fast bias correction" if self.correct_bias else "no bias correction"
        return f"nncf {self.preset.lower()}, {self.ranges} ranges, {bias}"


RECIPES = (
    # Bounded activations (ReLU6) have no outliers to cut off: their whole range is kept. Masks agree better so than
    # with NNCF's defaults, which are the last one.
    _Recipe(preset="PERFORMANCE", ranges="minmax", correct_bias=False),
    _Recipe(preset="MIXED", ranges="minmax", correct_bias=False),
    _Recipe(preset="MIXED", ranges="minmax", correct_bias=True),
    _Recipe(preset="MIXED", ranges="mean", correct_bias=True),
)


class OpenVinoTarget:
    """Any processor that OpenVINO's CPU plug-in supports."""

    runtime = "openvino"
    version_range = ">=2026.1,<2028"
    proven_in = "openvino"

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        """Quantise by our own plan, then with each of NNCF's `RECIPES`; pre- and post-processing stay in float."""
        equal = compared(network.equalised)
        for fused, told in ((True, "additions within convolutions"), (False, "additions of integers")):
            folder = out / f"planned-{'fused' if fused else 'plain'}"
            folder.mkdir(parents=True)
            plan = make_plan(equal, network.observed, Style(fuse_additions=fused, pairs=True)).sparing(spared)
            onnx.save(write_qdq(equal, plan), folder / "model.onnx")
            _save(_read(folder / "model.onnx"), folder / "model.xml")
            (folder / "model.onnx").unlink()
            method = ", ".join(filter(None, (OWN, told, part_in_float(spared))))
            yield Candidate(recipe=method, entry=folder / "model.xml")
            if spared:
                return
        in_float = self.float_form(network, out)
        for number, recipe in enumerate(RECIPES, 1):
            folder = out / f"nncf-{number}"
            folder.mkdir(parents=True)
            progress = tqdm(desc=f"quantising {number}/{len(RECIPES)}", unit="picture", disable=None, leave=False)
            with progress:
                try:
                    model = _quantize(_read(in_float), network.pictures, recipe, progress)
                except (RuntimeError, ValueError) as error:
                    raise ModelError(
                        f"{network.folded}: NNCF refuses it: {str(error).strip().splitlines()[-1]}"
                    ) from error
            entry = folder / "model.xml"
            _save(model, entry)
            yield Candidate(recipe=recipe.text, entry=entry)

    def float_form(self, network: Network, out: Path) -> Path:
        """Give the folded file, its classes compared: OpenVINO reads ONNX."""
        path = out / "float.onnx"
        onnx.save(compared(read_onnx(network.folded)), path)
        return path


def create() -> OpenVinoTarget:
    """Make the target."""
    return OpenVinoTarget()


def _read(folded: Path) -> openvino.Model:
    model = core().read_model(folded)
    # Folds shapes and makes Clamp out of Minimum and Maximum, as `convert_model` does (which reports usage): without
    # it NNCF finds no biases to correct, and the network runs a tenth slower.
    apply_moc_transformations(model, cf=False)
    return model


def _save(model: openvino.Model, path: Path) -> None:
    """Write IR that wishes for the faster kernels, and has no blanks between tags, a fifth of a small network's XML."""
    openvino.save_model(model, path, compress_to_fp16=False)
    wishes = {
        op.get_friendly_name(): _faster_kernel(op) for op in model.get_ops() if op.get_type_name() == "Convolution"
    }
    tree = ET.parse(path)  # noqa: S314 - what was just written
    for layer in tree.iterfind("layers/layer[@type='Convolution']"):
        if wish := wishes[layer.get("name", "")]:
            told = ET.SubElement(layer, "rt_info")
            ET.SubElement(told, "attribute", name="primitives_priority", version="0", value=wish)
    path.write_text(re.sub(r">\s+<", "><", ET.tostring(tree.getroot(), "unicode")), "utf-8")


def _faster_kernel(convolution: openvino.Node) -> str | None:
    """Name the kernel that gives the same numbers sooner than `brgconv_avx512`, which OpenVINO takes by itself.

    In INT8, 1x1 convolutions take 0.5 to 0.95 of its time, least with few channels; in float more. Where there is no
    AVX-512, and in plug-ins for other chips, the wish goes unheard. Both names are OpenVINO's.
    """
    if convolution.input_value(1).get_node().get_type_name() == "Constant":
        return None  # not rounded
    _, channels, *window = convolution.input(1).get_shape()
    if window == [1, 1]:
        return "cpu:jit_avx512_1x1"
    return "cpu:jit_avx512" if channels <= FEW else None


def _quantize(model: openvino.Model, pictures: Sequence[Picture], recipe: _Recipe, progress: Any) -> openvino.Model:
    # NNCF sends usage figures home unless it believes to be under test; there is no other switch.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf  # noqa: PLC0415
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet  # noqa: PLC0415

    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function turns down every handler there is

    def feed(picture: Picture) -> Any:
        progress.update()
        return picture[None]

    options: dict[str, Any] = {"disable_bias_correction": not recipe.correct_bias}
    if recipe.ranges == "minmax":
        options["activations_range_estimator_params"] = RangeEstimatorParametersSet.MINMAX
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123 - it draws bars
        return nncf.quantize(
            model,
            nncf.Dataset(pictures, feed),
            preset=nncf.QuantizationPreset[recipe.preset],
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(patterns=[f"{PRE}.*", f"{POST}.*"], validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(**options),
        )
