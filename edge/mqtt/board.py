"""Board: what the device says about itself besides alerts; any thread writes, the sink's thread publishes."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSING = 64
"""So many results wait at most; then the newest wins and the oldest is dropped and counted."""


class Board:
    """Retained values by topic, where only the newest counts, and passing ones. No method blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}  # in the order of their first appearance
        self._dirty: dict[str, None] = {}
        self._passing: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many passing values nobody could take in time."""
        return self._dropped

    def hold(self, topic: str, value: bytes) -> bool:
        """Set a retained value; say whether it is another one than before."""
        with self._lock:
            if self._values.get(topic) == value:
                return False
            self._values[topic] = value
            self._dirty[topic] = None
            return True

    def renew(self, *topics: str) -> None:
        """Publish these retained values again; all of them, in order, when none is named."""
        with self._lock:
            if not topics:
                self._dirty.clear()
            self._dirty.update(dict.fromkeys(topic for topic in topics or self._values if topic in self._values))

    def changed(self, limit: int) -> list[tuple[str, bytes]]:
        """Take at most `limit` retained values that are to be published."""
        if not self._dirty:
            return []
        with self._lock:
            topics = list(self._dirty)[: max(limit, 0)]
            for topic in topics:
                del self._dirty[topic]
            return [(topic, self._values[topic]) for topic in topics]

    @property
    def unsaid(self) -> int:
        """How many retained values are to be published."""
        return len(self._dirty)

    def say(self, topic: str, value: Mapping[str, Any]) -> None:
        """Pass on a value that is worth nothing later; it must not be changed afterwards."""
        with self._lock:
            if len(self._passing) >= PASSING:
                self._passing.popleft()
                self._dropped += 1
            self._passing.append((topic, value))

    def passing(self) -> tuple[str, Mapping[str, Any]] | None:
        """Take the oldest passing value; None when there is none."""
        if not self._passing:
            return None
        with self._lock:
            return self._passing.popleft() if self._passing else None

    def forget_passing(self) -> None:
        """Drop what was said while nobody could hear it."""
        with self._lock:
            self._dropped += len(self._passing)
            self._passing.clear()
