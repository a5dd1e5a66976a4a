"""Bell: wakes whoever waits for pictures; a pipe with a name, so that either side may die and come again."""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_MOST_RINGS = 1 << 16


def inspection_bell(runtime_dir: Path) -> Path:
    """Say where the cameras' processes wake the inspection."""
    return runtime_dir / "inspection.bell"


def taken_bell(runtime_dir: Path, camera: str) -> Path:
    """Say where the inspection tells that it took a picture of `camera` that the camera waits with the next for."""
    return runtime_dir / f"{camera}.bell"


class Bell:
    """One end of a bell; it keeps ringing until somebody waits. Any thread may ring, one waits."""

    def __init__(self, path: Path) -> None:
        """Open the bell, made by whoever comes first. Raises OSError."""
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # for both directions: Linux then opens it whoever else is there, and it never ends
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free it."""
        os.close(self._pipe)

    def ring(self) -> None:
        """Wake whoever waits, now or next; never blocks."""
        with contextlib.suppress(BlockingIOError):  # full: it rings already
            os.write(self._pipe, b"!")

    def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long, and forget the rings so far."""
        if self._poll.poll(1000 * seconds):
            with contextlib.suppress(BlockingIOError):
                os.read(self._pipe, _MOST_RINGS)
