"""Receipt: the measured proof that INT8 agrees with float, written into the bundle as receipt.json."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from edge import __version__
from edge.errors import BundleError
from edge.manifest import TargetInfo
from quantize.figures import Agreement, Figures, Gate, LayerSensitivity, Parity

if TYPE_CHECKING:
    from edge.bundle import Bundle


class DatasetFacts(Figures):
    """On what was measured."""

    name: str
    split: str  # train, val, test, or all where the data set has no splits
    pictures: int
    groups: int


class CalibrationFacts(Figures):
    """From what the INT8 ranges come."""

    pictures: int
    with_class: dict[str, int]  # pictures on which each class is present
    objects: int | None = None  # that they show
    brightness: tuple[float, float] | None = None  # mean of the darkest and of the brightest one, 0 to 255
    brightness_of_all: tuple[float, float] | None = None  # of the pictures that they were chosen from
    warnings: tuple[str, ...]


class Latency(Figures):
    """Time of the INT8 network over that of its own float form, taken in turns in one run."""

    ratio: float  # below 1 is faster
    runtime: str
    threads: int


class TargetReceipt(Figures):
    """One target's proof."""

    runtime: str
    recipe: str  # how INT8 was made
    tried: dict[str, float]  # every way that was tried, with its agreement on the pictures to choose by
    spared: tuple[str, ...] = ()  # layers that stay in float, so that the gate is passed
    sha256: str  # of the file that ran
    parity: Parity
    measured: TargetInfo  # what ran: the form that is shipped, or one that stands in for a chip that was not at hand
    latency: Latency | None  # where the target's own runtime was measured
    cross_runtime: dict[str, float]  # by other kernels for the same file, IoU of the focus class's masks with them
    passed: bool
    faults: tuple[str, ...]  # why not, one sentence each

    @property
    def speed(self) -> str:
        """How fast it is, or that nobody knows."""
        if self.latency is None:
            return f"measured in {self.measured.runtime}, not on the chip: its speed is not known"
        slower = ", no gain over float" if self.latency.ratio >= 1 else ""
        return f"{self.latency.ratio:.2f} of float's time in {self.latency.runtime}{slower}"


class Receipt(Figures):
    """The proof for all targets of one bundle."""

    schema_: Literal["edgeloupe.receipt/1"] = Field(default="edgeloupe.receipt/1", alias="schema")
    name: str
    focus: str
    created: str  # RFC 3339
    machine: str
    tools: dict[str, str]
    model_sha256: str  # of the plain float file the workshop was given
    reference_sha256: str  # of the folded float file in the bundle
    processing_sha256: str
    dataset: DatasetFacts
    calibration: CalibrationFacts
    gate: Gate
    sensitivity: tuple[LayerSensitivity, ...] = ()  # of the float network's layers, in the order of the data's way
    noise_floor: Agreement | None = None  # of float with itself under the least noise; receipts of old have none
    foreground_floor: Agreement | None = None  # likewise, of the masks of all classes but the first
    accepted_by: str | None = None  # who took the bundle although the gate was not passed
    targets: dict[str, TargetReceipt]  # empty while the bundle is being measured

    @property
    def passed(self) -> bool:
        """Whether every target passed the gate."""
        return all(proof.passed for proof in self.targets.values())


def receipt_of(bundle: Bundle) -> Receipt:
    """Read the receipt of an open bundle. Raises BundleError."""
    try:
        return Receipt.model_validate(bundle.receipt)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise BundleError(f"{bundle.path}: receipt.json: {key}: {fault['msg']}: quantise the model again") from error


def tool_versions() -> dict[str, str]:
    """List the versions of everything that has a say in the result."""
    versions = {"edgeloupe": __version__, "python": platform.python_version()}
    for name in ("ai-edge-litert", "nncf", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "openvino"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
