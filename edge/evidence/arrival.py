"""Arrival: evidence follows its alert within moments; whoever needs the files waits for them here, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from edge.clock import Clock
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk

COMES_WITHIN_S = 5.0
"""Files that are not there so long after their alert never come: the power went, or the disk failed."""
LOOK_S = 0.05
"""Between two looks for a file that is awaited."""
_AT_ONCE = 20
_IDLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """Says when files that alerts name are there, or will not come any more."""

    root: Path
    clock: Clock
    clip_s: float | None = None  # how much later than pictures clips may come; None: nobody wants them

    def bring(self, desk: Desk, put: Callable[[str, bytes], None]) -> float:
        """Put what lies on the desk into a store far away; give the seconds to wait before the next turn.

        `evidence/YYYY-MM-DD/HH/CAMERA/NAME.jpg` and what else an alert names come first, then `alerts/EPOCH/SEQ.json`:
        whoever finds an alert finds its files. What was deleted on the device meanwhile, or never written, is missing.
        """
        alerts = desk.alerts(_AT_ONCE)
        for alert in alerts:
            if wait_s := self.wait_s(alert):
                return wait_s
            for path, data in self.contents(alert.fields()):
                put(f"evidence/{path}", data)
            put(f"alerts/{alert.epoch}/{alert.seq:012d}.json", alert.message.encode())
            desk.take(alert)
        return 0.0 if alerts else _IDLE_S

    def contents(self, fields: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Read the files that an alert names: each path relative to the root, without what is not there or damaged."""
        for path in (fields[name] for name in self._within_s() if fields.get(name)):
            try:
                data = (self.root / path).read_bytes()
            except OSError:
                continue
            yield path, data

    def wait_s(self, alert: Stored) -> float:
        """Say for how long to wait before looking again; 0 when nothing is missing or to be hoped for.

        The age of the alert bounds it: however many files never come, one who follows alerts is these seconds behind.
        """
        age_s, fields = self.clock.wall_s() - alert.committed_at, alert.fields()
        hoped = [fields[name] for name, within_s in self._within_s().items() if fields.get(name) and age_s < within_s]
        return LOOK_S if age_s >= 0 and not all((self.root / path).is_file() for path in hoped) else 0.0

    def _within_s(self) -> dict[str, float]:
        clip = {} if self.clip_s is None else {"clip": COMES_WITHIN_S + self.clip_s}
        return dict.fromkeys(("evidence", "mask", "overlay"), COMES_WITHIN_S) | clip
