"""Bell: wakes the thread that waits for the network; within one process, where `edge.bell` rings between several."""

from __future__ import annotations

import contextlib
import os


class Bell:
    """Wakes a thread that waits in `Link.pump`; `ring` may be called from any thread and never blocks."""

    def __init__(self) -> None:
        self._counter = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        """Wake the thread that waits."""
        with contextlib.suppress(OSError):  # closed: nobody waits
            os.eventfd_write(self._counter, 1)

    def silence(self) -> None:
        """Forget the rings so far."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._counter)

    def fileno(self) -> int:
        """Let a selector wait for it."""
        return self._counter

    def close(self) -> None:
        """Free it; nothing happens when that was done."""
        counter, self._counter = self._counter, -1
        if counter >= 0:
            os.close(counter)
