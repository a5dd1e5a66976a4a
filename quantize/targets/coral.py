"""Coral: our own plan as a full-integer TFLite file, compiled for the Edge TPU where its compiler is installed.

No Edge TPU and no compiler are to be had where this is made: masks are measured in LiteRT on the processor, and the
file must keep to every rule of `quantize.rules.coral`.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.errors import ModelError
from quantize.flat_file import read_flat
from quantize.rules import coral as rules
from quantize.targets.cpu import CpuTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantize.targets import Candidate, Network

log = logging.getLogger(__name__)

COMPILER = "edgetpu_compiler"


class CoralTarget(CpuTarget):
    """USB, PCIe and M.2 accelerators and the Dev Boards."""

    runtime = "edgetpu"

    def candidates(self, network: Network, out: Path, spared: frozenset[str] = frozenset()) -> Iterator[Candidate]:
        """Give the file for plain processors, held against the chip's rules and compiled."""
        if spared:
            return
        for candidate in super().candidates(network, out):
            for finding in rules.check(candidate.entry):
                if finding.rule.breaks:
                    raise ModelError(
                        f"node {finding.node!r}: {finding.what}: the Edge TPU asks for {finding.rule.asks}"
                    )
            yield replace(candidate, shipped=compiled(candidate.entry))


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
    wanted = rules.mapped(read_flat(model))
    if on_chip is not None and int(on_chip) < wanted:
        raise ModelError(f"{model.name}: {COMPILER} maps {on_chip} operators, {wanted} were expected: see its log")
    return made
