"""Child: what every process of the daemon does first, so that none outlives it; and who takes the signals, the core."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_PR_SET_PDEATHSIG = 1  # prctl(2)
_YOUNG = 10_000
"""So many objects more than before make the collector look: more than a frame of 500 regions has for a moment."""


def become_child(name: str) -> None:
    """Die with the parent, leave Ctrl-C to it, and log under `name`."""
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it died before the line above
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log_to_stderr(name)
    collect_rarely()


def collect_rarely() -> None:
    """Have the collector of cycles leave alone what is loaded, and look less often: frames leave none behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def log_to_stderr(name: str) -> None:
    """Write log lines to standard error, where systemd's journal picks them up; `EDGELOUPE_LOG` sets the level."""
    level = os.environ.get("EDGELOUPE_LOG", "INFO")
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else "INFO",
        format=f"{name}: %(levelname)s: %(message)s",
        stream=sys.stderr,
    )


@contextlib.contextmanager
def signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C call `stop` meanwhile."""

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
