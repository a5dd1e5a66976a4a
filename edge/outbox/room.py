"""Room: alerts go on when the disk is full; what must go for them goes in a fixed order, and each step is told."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Literal

from edge.errors import OutboxError, OutboxFullError
from edge.outbox.fold import fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock
    from edge.evidence.store import EvidenceStore
    from edge.outbox.outbox import Outbox, Stored

log = logging.getLogger(__name__)

Step = Literal["ok", "pictures", "delivered", "ballast", "folding"]
"""What had to go last: nothing, pictures, delivered alerts, the ballast file, alerts one by one."""

FOLD_ROWS = 64
HOLD_S = 10.0
"""A step stays visible for at least so long."""

_LOW_BYTES = 768 << 10
_PICTURES_BYTES = 8 << 20
_LAST_BYTES = 512 << 10  # what folding itself needs: the log of one transaction
_MANY, _COUNT_S = 50_000, 10.0
"""A backlog beyond the first is counted as often as the second says."""


class Room:
    """Commits alerts, and makes room for them; belongs to the core's thread.

    Two files hold space back while there is plenty: `ballast`, and a small one that only folding may use, since even
    deleting needs room in the database's log.
    """

    def __init__(self, outbox: Outbox, evidence: EvidenceStore, folder: Path, ballast_bytes: int, clock: Clock) -> None:
        self.step: Step = "ok"
        self.counts: dict[str, int] = {"pictures_bytes": 0, "delivered": 0, "folded": 0}  # gone since the start
        self._outbox = outbox
        self._evidence = evidence
        self._folder = folder
        self._ballast = {folder / "ballast": ballast_bytes, folder / "ballast-for-folding": _LAST_BYTES}
        self._clock = clock
        self._since_s = 0.0
        self._pending, self._counted_s = 0, 0.0
        self._lay_ballast()

    def store(self) -> dict[str, Any]:
        """Tell what the outbox holds. Raises OutboxError."""
        return {
            "epoch": self._outbox.epoch,
            "first_seq": self._outbox.first_seq,
            "last_seq": self._outbox.last_seq,
            "pending": self._count_pending(),
            "gaps": self._outbox.gaps(),
            "room": self.told(),
        }

    def _count_pending(self) -> int:
        """Count what is not delivered; a very large backlog now and then only, since that takes a while."""
        now = self._clock.monotonic_s()
        if self._pending <= _MANY or now >= self._counted_s + _COUNT_S:
            self._pending, self._counted_s = self._outbox.pending_count, now
        return self._pending

    def told(self) -> dict[str, Any]:
        """Write as plain values."""
        return {"step": self.step, **self.counts}

    def commit(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Commit, after making as much room as it takes.

        Raises:
            OutboxError: nothing was stored, and there is nothing left that could go.
        """
        while True:
            try:
                self._outbox.commit(alerts)
            except OutboxFullError:
                if not self.make():
                    raise
            else:
                break
        with contextlib.suppress(OutboxError, OSError):  # what is committed stays so, whatever comes of this
            if self._is_short():  # deleting and folding need room themselves, so they begin before the end
                self.make()

    def tend(self) -> None:
        """Make room before it is needed, and hold space back again when there is some; to be called regularly."""
        if self._is_short():
            self.make()
        elif self.step != "ok" and self._clock.monotonic_s() - self._since_s > HOLD_S and self._lay_ballast():
            self._outbox.limit_log()
            self._tell("ok")

    def _is_short(self) -> bool:
        return self._free_bytes() < _LOW_BYTES and self._outbox.free_bytes < _LOW_BYTES // 4

    def make(self) -> bool:
        """Let something go, the least important first; say whether anything went."""
        steps: tuple[tuple[Step, Any], ...] = (
            ("pictures", self._drop_pictures),
            ("delivered", self._drop_delivered),
            ("ballast", self._drop_ballast),
            ("folding", self._fold),
        )
        for step, act in steps:
            if act():
                self._tell(step)
                return True
        return False

    def _drop_pictures(self) -> bool:
        before = self._evidence.size_bytes()
        left = self._evidence.trim(max(before - _PICTURES_BYTES, 0)) if before else 0
        self.counts["pictures_bytes"] += before - left
        return left < before

    def _drop_delivered(self) -> bool:
        try:
            gone = self._outbox.evict()
        except OutboxFullError:  # deleting needs room, too
            return False
        self.counts["delivered"] += gone
        return gone > 0

    def _drop_ballast(self) -> bool:
        self._outbox.limit_log(64)
        return self._drop(self._folder / "ballast")

    def _fold(self) -> bool:
        freed = self._drop(self._folder / "ballast-for-folding")
        try:
            gone = self._outbox.fold(FOLD_ROWS, _summaries)
        except OutboxFullError:
            return freed
        self.counts["folded"] += gone
        return gone > 0

    def _drop(self, ballast: Path) -> bool:
        try:
            ballast.unlink()
        except OSError:
            return False
        return True

    def _lay_ballast(self) -> bool:
        """Hold space back where it is missing; say whether there is enough of it."""
        for path, size in self._ballast.items():
            if path.exists() or not size:
                continue
            if self._free_bytes() < size + 2 * _LOW_BYTES:
                return False
            partial = path.with_suffix(".partial")
            try:
                with partial.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, size)
                partial.replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    partial.unlink(missing_ok=True)
                return False
        return True

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    def _tell(self, step: Step) -> None:
        self._since_s = self._clock.monotonic_s()
        if step != self.step:
            self.step = step
            log.log(logging.INFO if step == "ok" else logging.WARNING, "room for alerts: %s", step)


def _summaries(rows: Sequence[Stored]) -> list[dict[str, Any]]:
    return fold(row.fields() for row in rows)
