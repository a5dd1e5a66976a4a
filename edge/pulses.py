"""Pulses: what a watching thread saw and nobody has taken a picture for yet."""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Self

from edge.errors import EdgeloupeError
from edge.triggers import Demand

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.pictures.image import Image

log = logging.getLogger(__name__)

_MOST = 100
"""Pulses that wait; more mean that nobody takes pictures."""
_RETRY_S = (0.5, 5.0)


class Pulses:
    """A trigger that something outside pulls.

    `watch` runs in a thread of its own: it calls `sound` once it hears, `add` for each pulse, returns when `stopping`
    is set and raises EdgeloupeError when it can't hear; it is then called again, after a pause with jitter.
    """

    def __init__(self, name: str, watch: Callable[[Pulses], None]) -> None:
        self.stopping = threading.Event()
        self._name = name
        self._watch = watch
        self._waiting = 0
        self._trouble = f"{name}: connecting"
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"trigger {name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._thread.join(5.0)

    def add(self) -> None:
        """Count one pulse; called by the watching thread."""
        with self._lock:
            self._waiting = min(self._waiting + 1, _MOST)

    def sound(self) -> None:
        """Tell that pulses are heard from now on; called by the watching thread."""
        self._trouble = ""

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        """Say whether a pulse waits for this picture."""
        del now_mono_s
        with self._lock:
            wanted = self._waiting > 0 and picture is not None
            self._waiting -= wanted
        return Demand(wanted=wanted, trouble=self._trouble)

    def _run(self) -> None:
        wait_s = _RETRY_S[0]
        while not self.stopping.is_set():
            try:
                self._watch(self)
            except Exception as error:  # a trigger that is deaf for good would stop the line unseen
                wait_s = _RETRY_S[0] if not self._trouble else min(2 * wait_s, _RETRY_S[1])
                foreseen = isinstance(error, EdgeloupeError)
                told = str(error) if foreseen else f"{self._name}: unforeseen: {error}: tried again"
                if self._trouble != told:
                    log.warning("%s", told, exc_info=not foreseen)
                self._trouble = told
            self.stopping.wait(wait_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
