"""Attached: an end of a slot that may not exist yet and whose writer may be replaced."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from edge.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from edge.slot import Snapshot


class Attached:
    """Follows one slot by its path. Belongs to whoever holds the lock around it; not safe to share by itself.

    `generation` counts how often the numbers began anew: sequences compare only within one generation.
    """

    def __init__(self, path: Path, *, read_only: bool = True) -> None:
        self.path = path
        self._read_only = read_only
        self.generation = 0
        self._slot: Slot | None = None
        self._file: tuple[int, int, int] | None = None
        self._last = 0

    def newest(self, after: int = 0) -> Snapshot | None:
        """Give the newest value if its number is above `after` or numbers began anew; None otherwise."""
        began = self.generation
        slot = self._attach()
        if slot is None:
            return None
        if slot.latest < self._last:  # made anew in place
            self._last = 0
            self.generation += 1
        snapshot = slot.newest(after if self.generation == began else 0)
        if snapshot is not None:
            self._last = snapshot.sequence
        return snapshot

    def mark_consumed(self, sequence: int) -> None:
        """Tell the slot's writer that `sequence` is done with; nothing happens where there is no slot."""
        slot = self._attach()
        if slot is not None:
            slot.mark_consumed(sequence)

    def close(self) -> None:
        """Let go of the slot; the next call of `newest` takes hold of it again."""
        if self._slot is not None:
            self._slot.close()
        self._slot = self._file = None

    def _attach(self) -> Slot | None:
        try:
            status = self.path.stat()
        except OSError:
            self.close()
            return None
        file = (status.st_dev, status.st_ino, status.st_size)
        if file == self._file:
            return self._slot
        self.close()
        with contextlib.suppress(OSError, ValueError, struct.error):  # gone again, or not whole yet
            self._slot = Slot(self.path, read_only=self._read_only)
            self._file = file
            self._last = 0
            self.generation += 1
        return self._slot
