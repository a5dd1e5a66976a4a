"""Shrink: try a target's INT8 forms and keep the one that loses least; where all lose too much, spare some layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantize.fold import NETWORK
from quantize.parity import median_times
from quantize.sensitivity import ranked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from quantize.budget import Budget
    from quantize.figures import Gate, LayerSensitivity, Parity
    from quantize.judge import Judge
    from quantize.targets import Candidate, Network, Target


NEARLY = 0.001
"""Agreement that a faster form may lack."""

ALLOWED = (0.5, 0.75, 1.0)
"""Shares of what the gate allows, while forms are chosen; the next one where nothing passes.

Tens of forms are tried on tens of pictures, and some pass by luck: on other pictures they lose more.
"""

WORTH_IT = 0.97
"""Of the time of the form that agrees best: differences smaller than that are chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One INT8 form and what it loses on the pictures to choose by."""

    candidate: Candidate
    parity: Parity
    faults: tuple[str, ...]  # what the gate has against it, with half to spare
    spared: tuple[str, ...] = ()  # layers that stay in float

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Sorts the better one first."""
        return bool(self.faults), -self.parity.likeness, -self.parity.agreement.pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinker:
    """What the forms of every target are made from and judged by."""

    network: Network  # in float, with its calibration pictures
    judge: Judge  # never of the test split
    gate: Gate
    sensitivity: tuple[LayerSensitivity, ...]
    budget: Budget

    def shrink(self, target: Target, out: Path) -> list[Tried]:
        """Give all forms that were tried, the kept one first; equals stay in the target's own order.

        Args:
            target: for which chip.
            out: where they are written.

        Raises:
            ModelError: the network can't be made small or run.
        """
        tried: list[Tried] = []
        for candidate in target.candidates(self.network, out):
            tried.append(self.judged(target, candidate))
            if self.budget.is_used_up:
                break
        tried.sort(key=lambda one: one.rank)
        if tried[0].faults:
            mixing = _Mixing(self, target, out)
            for gate in map(self.gate.times, ALLOWED):
                if not gate.faults(tried[0].parity):
                    break
                if mixed := mixing.fewest(gate):
                    return [mixed, *tried]
            return tried
        if target.proven_in == target.runtime:
            self._prefer_speed(tried, target)
        return tried

    def _prefer_speed(self, tried: list[Tried], target: Target) -> None:
        """Put the fastest first of those that agree nearly as well as the best."""
        best = tried[0].parity.likeness
        near = [one for one in tried if not one.faults and best - one.parity.likeness <= NEARLY]
        if len(near) < 2:
            return
        times = median_times(target.runtime, [one.candidate.entry for one in near], self.judge.pictures[0])
        fastest = int(np.argmin(times))
        if times[fastest] < WORTH_IT * times[0]:
            tried.remove(near[fastest])
            tried.insert(0, near[fastest])

    def judged(self, target: Target, candidate: Candidate, spared: Sequence[str] = ()) -> Tried:
        """Compare one form with float."""
        parity = self.judge(target.proven_in, candidate.entry)
        faults = self.gate.times(ALLOWED[0]).faults(parity)
        return Tried(candidate=candidate, parity=parity, faults=faults, spared=tuple(spared))


class _Mixing:
    """The search for the fewest layers that have to stay in float for a gate to be passed."""

    def __init__(self, shrinker: Shrinker, target: Target, out: Path) -> None:
        self._shrinker, self._target, self._out = shrinker, target, out
        self._known: dict[frozenset[str], Tried] = {}  # by the layers spared

    def fewest(self, gate: Gate) -> Tried | None:
        """Spare the most sensitive layers, more and more of them; then give back what is not needed, costly ones first.

        None where the target spares no layers, or the budget is used up before a form passes.
        """
        order = [one.layer for one in ranked(self._shrinker.sensitivity)]
        failing, count, passing = 0, 1, None
        while passing is None and failing < len(order):
            count = min(count, len(order))
            one = self._try(order[:count])
            if one is None:
                return None
            if gate.faults(one.parity):
                failing, count = count, 2 * count
            else:
                passing = one
        if passing is None:
            return None
        while len(passing.spared) - failing > 1:
            middle = (failing + len(passing.spared)) // 2
            one = self._try(order[:middle])
            if one is None:
                return passing
            if gate.faults(one.parity):
                failing = middle
            else:
                passing = one
        return self._trimmed(passing, gate)

    def _trimmed(self, passing: Tried, gate: Gate) -> Tried:
        macs = {one.layer: one.macs for one in self._shrinker.sensitivity}
        for layer in sorted(passing.spared, key=lambda name: -macs[name]):
            one = self._try([name for name in passing.spared if name != layer]) if len(passing.spared) > 1 else None
            if one and not gate.faults(one.parity):
                passing = one
        return passing

    def _try(self, spared: Sequence[str]) -> Tried | None:
        shrinker, key = self._shrinker, frozenset(spared)
        if key not in self._known:
            if shrinker.budget.is_used_up:
                return None
            folder = self._out / f"mixed-{len(self._known) + 1}"
            made = self._target.candidates(shrinker.network, folder, frozenset(NETWORK + name for name in spared))
            candidate = next(made, None)
            if candidate is None:
                return None
            self._known[key] = shrinker.judged(self._target, candidate, spared)
        return self._known[key]
