"""Targets by name: for which chip a network is made small; every other file here is one of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from edge.errors import ModelError
from quantize.canonical import read_onnx
from quantize.equalise import equalise
from quantize.plan import observe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import onnx

    from edge.picture import Picture
    from quantize.plan import Observed

NAMES = ("openvino", "cpu", "jetson", "coral")

OWN = "equalised, least squared error, compensated rounding"
"""How our own plan comes about, for the receipt."""


class Network:
    """A folded float network and pictures of what it is shown; what every target needs of it is worked out once."""

    def __init__(self, folded: Path, pictures: Sequence[Picture]) -> None:
        self.folded = folded  # what `quantize.fold` made; its pre- and post-processing stays in float
        self.pictures = pictures  # for calibration, (H, W, 3) uint8 BGR at the network's input size

    @cached_property
    def equalised(self) -> onnx.ModelProto:
        """The same network with channels of like ranges. Raises ModelError."""
        return equalise(read_onnx(self.folded), self.pictures)

    @cached_property
    def observed(self) -> Observed:
        """What flows through it. Raises ModelError."""
        return observe(self.equalised, self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way of making the network small, written to a folder of its own."""

    recipe: str  # how it was made, for the receipt
    entry: Path  # the file that is proven here; everything in its folder belongs to it
    shipped: Path | None = None  # the file the device opens, where that is another one in the same folder


class Target(Protocol):
    """What one kind of device needs; stateless."""

    runtime: str  # who runs it on the device: a name in edge.runtimes
    version_range: str  # of the runtime's package, as `>=2026.1,<2027`
    proven_in: str  # who runs it in the workshop: the same runtime, or the nearest one that needs no such chip

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        """Make INT8 forms of a network one after the other, the one most likely to be kept first.

        Args:
            network: to be made small.
            out: a folder; each candidate gets its own folder in it.
            spared: nodes that compute in float; then one form is made, or none where the chip knows integers only.

        Raises:
            ModelError: the network can't be made small for this target.
        """
        ...

    def float_form(self, network: Network, out: Path) -> Path:
        """Give a file of the same network in float for `proven_in`; in `out`, if one has to be made.

        Raises:
            ModelError: the network can't be written for it.
        """
        ...


def create(name: str) -> Target:
    """Make the target `name`.

    Raises:
        ModelError: there is no such target, or its tools are not installed.
    """
    if name not in NAMES:
        raise ModelError(f"target {name!r}: must be one of {', '.join(NAMES)}")
    try:
        module = import_module(f"quantize.targets.{name}")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"target {name!r}: package {error.name!r} is not installed: pip install 'edgeloupe[workshop]'"
        ) from error
    target: Target = module.create()
    return target


def part_in_float(spared: frozenset[str]) -> str:
    """Say for the receipt how many layers stay in float; nothing where none do."""
    return f"{len(spared)} layer{'s'[: len(spared) != 1]} in float" if spared else ""
