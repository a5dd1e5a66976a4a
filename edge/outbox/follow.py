"""Follow: one sink's own place in the outbox, kept in the outbox, so that no sink misses what another one has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.outbox.file import EVERYBODY
from edge.outbox.outbox import OutboxDrain, OutboxReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge.outbox.outbox import Stored


class Follower(OutboxDrain):
    """Reads the alerts that `sink` has not taken; belongs to the thread that opened it.

    A sink's place is made when it is opened for the first time, behind the newest alert: only what is committed from
    then on is its concern. Like an acknowledgement, a place is not synced by itself: after a power cut some alerts
    come again; after damage that took the places with it, all that are left do. Every method raises OutboxError.
    """

    def __init__(self, path: Path, sink: str) -> None:
        super().__init__(path)
        self._sink = sink
        try:
            with self._transaction as db:
                lost = db.execute("SELECT seq FROM positions WHERE sink = ?", (EVERYBODY,)).fetchone()
                place = lost[0] if lost else self.last_seq
                db.execute("INSERT OR IGNORE INTO positions VALUES (?, ?)", (sink, place))
        except BaseException:
            self.close()
            raise

    @property
    def position(self) -> int:
        """The number of the last alert taken; those above it are still to come."""
        return int(self._rows("SELECT seq FROM positions WHERE sink = ?", (self._sink,))[0][0])

    def ahead(self, limit: int) -> list[Stored]:
        """Give at most `limit` alerts not taken yet, oldest first."""
        return self._stored("WHERE seq > ? ORDER BY seq LIMIT ?", (self.position, limit))

    def take(self, seq: int) -> None:
        """Note that everything up to `seq` is taken; a place never moves back."""
        with self._transaction as db:
            db.execute("UPDATE positions SET seq = max(seq, ?) WHERE sink = ?", (seq, self._sink))


class Places(OutboxReader):
    """Tells where the sinks are."""

    @property
    def count(self) -> int:
        """How many sinks ever had a place."""
        return self._number("SELECT count(*) FROM positions")

    def hindmost(self, sinks: Iterable[str]) -> int | None:
        """Give the least number up to which every one of `sinks` has taken all; None without any."""
        places = dict(self._rows("SELECT sink, seq FROM positions"))
        return min((places.get(sink, self.last_seq) for sink in sinks), default=None)


class AlertLog(OutboxReader):
    """Reads alerts by number, for those who keep their place themselves."""

    def above(self, seq: int, limit: int) -> list[Stored]:
        """Give at most `limit` alerts above a number, oldest first."""
        return self._stored("WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
