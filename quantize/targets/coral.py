"""Coral: our own plan as a full-integer TFLite file, compiled for the Edge TPU where its compiler is installed.

No Edge TPU and no compiler are to be had where this is made: masks are measured in LiteRT on the processor, and the
file must keep to every rule of `quantize.rules.coral`.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from edge.errors import ModelError
from quantize.flat_file import parse_flat
from quantize.plan import make_plan
from quantize.rules import coral as rules
from quantize.targets import Candidate
from quantize.targets.cpu import CpuTarget
from quantize.tflite import STYLE, write_tflite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantize.targets import Network

log = logging.getLogger(__name__)

COMPILER = "edgetpu_compiler"


class CoralTarget(CpuTarget):
    """USB, PCIe and M.2 accelerators and the Dev Boards."""

    runtime = "edgetpu"

    def candidates(self, network: Network, out: Path) -> Iterator[Candidate]:
        """Quantise by our own plan."""
        content = write_tflite(network.equalised, make_plan(network.equalised, network.observed, STYLE))
        for finding in rules.check_graph(parse_flat(content, str(network.folded))):
            if finding.rule.breaks:
                raise ModelError(f"node {finding.node!r}: {finding.what}: the Edge TPU asks for {finding.rule.asks}")
        entry = out / "planned" / "model.tflite"
        entry.parent.mkdir(parents=True)
        entry.write_bytes(content)
        yield Candidate(
            recipe="equalised, least squared error, compensated rounding, integers throughout",
            entry=entry,
            shipped=compiled(entry),
        )


def create() -> CoralTarget:
    """Make the target."""
    return CoralTarget()


def compiled(model: Path) -> Path:
    """Compile a file for the Edge TPU, beside it; without a compiler give the file itself.

    Raises:
        ModelError: the compiler refuses it, or leaves more to the processor than the rules say.
    """
    if shutil.which(COMPILER) is None:
        log.warning("%s is not installed: the bundle holds a file that still has to be compiled", COMPILER)
        return model
    command = [COMPILER, "--show_operations", "--out_dir", str(model.parent), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = model.with_name(f"{model.stem}_edgetpu.tflite")
    told = f"{done.stdout}\n{done.stderr}"
    if done.returncode or not made.exists():
        reason = next((line for line in reversed(told.splitlines()) if line.strip()), "it gives no reason")
        raise ModelError(f"{model.name}: {COMPILER} refuses it: {reason.strip()}")
    counts = re.findall(r"operations that will run on (Edge TPU|CPU): (\d+)", told)
    on_chip = dict(counts).get("Edge TPU")
    wanted = rules.mapped(parse_flat(model.read_bytes(), str(model)))
    if on_chip is not None and int(on_chip) < wanted:
        raise ModelError(f"{model.name}: {COMPILER} maps {on_chip} operators, {wanted} were expected: see its log")
    return made
