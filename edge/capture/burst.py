"""Burst: several pictures of one part, of which one verdict is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from edge.inspection import Verdict

if TYPE_CHECKING:
    from edge.inspection import Inspection
    from edge.mask import Mask
    from edge.pictures.image import Image

Pick = Literal["all", "sharpest", "best", "worst"]

_FROM_BEST = (Verdict.OK, Verdict.NotOK, Verdict.NotDecidable)
_FROM_WORST = (Verdict.NotOK, Verdict.NotDecidable, Verdict.OK)


@dataclass(frozen=True, slots=True)
class Seen:
    """One inspected picture."""

    inspection: Inspection
    mask: Mask | None
    picture: Image


@dataclass(slots=True)
class Burst:
    """Collects the pictures of a part; `best` prefers OK, then a decision; `worst` NotOK, then a doubt."""

    pick: Pick
    _held: Seen | None = field(init=False, default=None)

    def take(self, seen: Seen, place: tuple[int, int] | None) -> Seen | None:
        """Take the next picture, number `place[0]` of `place[1]`; give the one to tell, None before the last."""
        if place is None or self.pick in ("all", "sharpest"):
            return seen
        number, of = place
        held = None if number == 1 else self._held
        order = _FROM_BEST if self.pick == "best" else _FROM_WORST
        if held is None or order.index(seen.inspection.verdict) < order.index(held.inspection.verdict):
            held = replace(seen, picture=seen.picture.copy())  # the slot's next picture takes its place
        self._held = None if number == of else held
        return held if number == of else None
