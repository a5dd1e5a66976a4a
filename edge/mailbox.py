"""Mailbox: the core's end of the pipe through which a worker tells what it saw."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from edge.supervise import FORK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from edge.clock import Clock

MOST_AT_ONCE = 64
"""Messages taken together; their alerts share one commit."""


class Mailbox:
    """One pipe at a time, a new one for each worker: what a killed one left half-written is never read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ours: Connection | None = None
        self._arrival = select.poll()

    def renew(self) -> Connection:
        """Close the pipe, make another, and give the worker's end of it."""
        self._close()
        self._ours, theirs = FORK.Pipe(duplex=False)
        self._arrival.register(self._ours, select.POLLIN)
        return theirs

    def take(self, wait_s: float, *, linger_until_s: float) -> list[Mapping[str, Any]]:
        """Wait at most `wait_s` for a message; give it and those that wait with it.

        With alerts among them, others are waited for until `linger_until_s` on the monotonic clock.
        """
        messages: list[Mapping[str, Any]] = []
        lingers = False
        try:
            while len(messages) < MOST_AT_ONCE and self._arrival.poll(max(wait_s, 0.0) * 1000) and self._ours:
                messages.append(self._ours.recv())
                lingers = lingers or bool(messages[-1].get("alerts"))
                wait_s = linger_until_s - self._clock.monotonic_s() if lingers else 0.0
        except (EOFError, OSError):  # the worker is gone, and perhaps in the middle of a word
            self._close()
        return messages

    def _close(self) -> None:
        if self._ours is not None:
            self._arrival.unregister(self._ours)
            self._ours.close()
            self._ours = None
