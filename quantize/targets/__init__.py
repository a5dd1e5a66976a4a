"""Targets by name: for which chip a network is made small; every other file here is one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from edge.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.frame import Picture

NAMES = ("openvino",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way of making the network small, written to a folder of its own."""

    recipe: str  # how it was made, for the receipt
    entry: Path  # the file the runtime opens; everything in its folder belongs to it


class Target(Protocol):
    """What one kind of device needs; stateless."""

    runtime: str  # who runs it on the device: a name in edge.runtimes
    version_range: str  # of the runtime's package, as `>=2026.1,<2027`

    def candidates(self, folded: Path, pictures: Sequence[Picture], out: Path) -> Iterator[Candidate]:
        """Make INT8 forms of a folded float ONNX file one after the other, the one most likely to be kept first.

        Args:
            folded: what `quantize.fold` made; its pre- and post-processing stays in float.
            pictures: calibration pictures, (H, W, 3) uint8 BGR at the network's input size.
            out: a folder; each candidate gets its own folder in it.

        Raises:
            ModelError: the network can't be made small for this target.
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
