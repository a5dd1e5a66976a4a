"""Interrupt: a wish to stop, from the keyboard or from the system, that waits until work can be put down."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interrupt:
    """Whether somebody wants this process to stop."""

    def __init__(self) -> None:
        self.wanted = False

    def ask(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:  # noqa: ARG002 - as signals call
        """Ask to stop; who asks a second time stops it at once."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextlib.contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Turn SIGINT and SIGTERM into a wish; put all handlers back at the end.

    Also that of ended children: torch's loader leaves its own, which outlives the loader.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    signal.signal(signal.SIGINT, interrupt.ask)
    signal.signal(signal.SIGTERM, interrupt.ask)
    try:
        yield interrupt
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def deaf(_worker: int) -> None:
    """Take a loader's process out of reach: the one that it loads for says when it ends.

    What is meant for all processes of a terminal or a job goes to their group, which it leaves. It must not ignore
    SIGTERM: that is how it is ended when the other one dies of an error, which waits for it then.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
