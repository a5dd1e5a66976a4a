"""Plain processors: our own plan as a full-integer TFLite file for LiteRT, which runs it fastest.

See docs/decisions/0008-targets.md for what was compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantize.plan import make_plan
from quantize.targets import OWN, Candidate, part_in_float
from quantize.tflite import STYLE, write_tflite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantize.targets import Network


class CpuTarget:
    """x86-64 and Arm, through XNNPACK."""

    runtime = "litert"
    version_range = ">=2.1,<3"
    proven_in = "litert"

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        """Quantise by our own plan."""
        plan = make_plan(network.equalised, network.observed, STYLE).sparing(spared)
        entry = out / "planned" / "model.tflite"
        entry.parent.mkdir(parents=True)
        entry.write_bytes(write_tflite(network.equalised, plan))
        yield Candidate(recipe=f"{OWN}, {part_in_float(spared) or 'integers throughout'}", entry=entry)

    def float_form(self, network: Network, out: Path) -> Path:
        """Write the network in float."""
        path = out / "float.tflite"
        path.write_bytes(write_tflite(network.equalised, None))
        return path


def create() -> CpuTarget:
    """Make the target."""
    return CpuTarget()
