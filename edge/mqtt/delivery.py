"""Delivery: which alerts are on their way to the broker, which it has, and which it refused; knows no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import OutboxFullError
from edge.mqtt.link import WINDOW, Backoff

if TYPE_CHECKING:
    from edge.clock import Clock
    from edge.outbox.outbox import Newest, OutboxDrain, Stored

MOST_REFUSED = 20
"""With so many alerts refused, no further one is tried until the broker takes one of them."""
FLUSH_ROWS = WINDOW // 2
FLUSH_S = 0.5
PATIENCE_S = 1.0
"""Answers older than this are stored even if that means to wait for the core's commit."""
BUSY_S = 0.005
"""While somebody else writes, answers are stored again after so long: as many alerts less may be on their way."""
FULL_S = 0.5
"""On a full disk, answers are stored again after so long."""
BACKLOG_ROWS = 1000
"""A backlog larger than this is passed by what is newer: nobody should wait behind days of it."""
BACKLOG_PER_S = 1000.0
"""So fast it goes out at most: consumers that lag would have the newest alerts wait in the broker's queue."""
_LIVE_ROWS = WINDOW
_REFUSED_BACKOFF = Backoff(first_s=1.0, most_s=60.0)


class Delivery:
    """Feeds alerts from the outbox, each at most once per connection; belongs to one thread.

    Oldest first, in two lanes: a large backlog, and what is newer than it, which goes first and leaves the backlog
    at least a quarter of the window.

    An alert that the broker refuses is tried again with growing pauses, while the ones after it go on: neither a
    rule for one camera nor one odd message holds up the rest. Methods that touch the outbox raise OutboxError.
    """

    def __init__(
        self, outbox: OutboxDrain, clock: Clock, backoff: Backoff = _REFUSED_BACKOFF, newest: Newest | None = None
    ) -> None:
        self.published = 0  # alerts that the broker took
        self.refusals = 0  # answers that were no
        self._outbox = outbox
        self._clock = clock
        self._backoff = backoff
        self._newest = newest
        self._newest_old = 0  # the last number of the backlog's lane
        self._cursors = [0, 0]  # of both lanes: sent up to here
        self._front = -1  # the greatest number ever sent here: nobody can have what is above
        self._more = True  # perhaps: the last `take` gave all it was asked for
        self._paced_s = 0.0  # when the next of the backlog is due
        self._in_flight: dict[int, float] = {}  # seq: sent at, monotonic
        self._acked: list[int] = []  # the broker has them, the outbox does not know yet
        self._acked_since_s = 0.0
        self._full_until_s = 0.0  # no room to store the answers
        self._attempts: dict[int, int] = {}  # refused so often
        self._retry_at: dict[int, float] = {}  # refused and waiting
        self._part()

    @property
    def in_flight(self) -> int:
        """How many alerts await the broker's answer."""
        return len(self._in_flight)

    @property
    def held_back(self) -> int:
        """How many alerts the broker refused and has not taken since."""
        return len(self._attempts)

    @property
    def may_have_more(self) -> bool:
        """Say whether `take` may give something though nothing was committed since: else the disk need not be asked."""
        return self._more or self._newest_old > 0 or bool(self._retry_at)

    @property
    def pause_s(self) -> float:
        """For how long there is nothing to do but wait for the broker or for new alerts."""
        if self._newest_old:
            return 0.01
        if not self._acked:
            return 1.0
        return max(self._store_at_s - self._clock.monotonic_s(), BUSY_S)

    @property
    def _store_at_s(self) -> float:
        """When the answers that wait are due to be stored: at once where they are many."""
        due_s = 0.0 if len(self._acked) >= FLUSH_ROWS else self._acked_since_s + FLUSH_S
        return max(due_s, self._full_until_s)

    @property
    def unstored(self) -> int:
        """How many answers wait for `flush`."""
        return len(self._acked)

    def begin(self) -> None:
        """Start on a new connection: whatever was on its way is pending again."""
        self.flush(now=True)
        self._in_flight.clear()
        self._attempts.clear()
        self._retry_at.clear()
        self._part()

    def take(self, room: int) -> list[Stored]:
        """Give at most `room` alerts to be published now; they count as in flight from here on."""
        now = self._clock.monotonic_s()
        due = [seq for seq, at in self._retry_at.items() if at <= now]
        for seq in due:
            del self._retry_at[seq]
        if due:
            self._rewind(min(due))
        if not self._in_flight and not self._acked:
            self._rewind(0)  # nothing to step over: so what the core itself replayed is found too
        room = min(room, WINDOW - len(self._in_flight) - len(self._acked))  # so many a crash may send twice
        self._more = True
        if room <= 0:
            return []
        kept_for_old = max(WINDOW // 4 - sum(seq <= self._newest_old for seq in self._in_flight), 0)
        rows = self._next(1, room - kept_for_old if self._newest_old else room)
        if self._newest_old:
            older = self._next(0, min(room - len(rows), self._due(now)))
            self._paced_s += len(older) / BACKLOG_PER_S
            rows += older
        self._more = len(rows) == room
        for row in rows:
            self._in_flight[row.seq] = now
        return rows

    def _end_backlog(self) -> None:
        """See whether there is still a backlog; with none, all alerts go in one lane again."""
        if self._newest_old and not self._outbox.pending(1, 0, self._newest_old):
            self._newest_old = 0

    def _next(self, lane: int, room: int) -> list[Stored]:
        """Give the next rows of a lane, stepping over those under way."""
        if room <= 0:
            return []
        above = self._cursors[lane]
        skip = {seq for seq in (*self._in_flight, *self._acked, *self._retry_at) if seq > above}
        upto = self._newest_old if lane == 0 else 1 << 62
        fresh = self._newest.after(above) if self._newest and lane == 1 and above == self._front else None
        if fresh is None:
            fresh = self._outbox.pending(room + len(skip), above, upto)
        rows = [row for row in fresh if row.seq not in skip]
        if len(self._attempts) >= MOST_REFUSED:
            rows = [row for row in rows if row.seq in self._attempts]
        rows = rows[:room]
        if rows:
            self._cursors[lane] = rows[-1].seq
            self._front = max(self._front, rows[-1].seq)
        return rows

    def _due(self, now: float) -> int:
        """Say how many of the backlog may go now."""
        self._paced_s = max(self._paced_s, now - WINDOW / BACKLOG_PER_S)
        return int((now - self._paced_s) * BACKLOG_PER_S)

    def _part(self) -> None:
        """Part a large backlog from what is newer."""
        oldest = self._outbox.pending(1)
        newest = self._outbox.newest_pending
        large = newest is not None and newest.seq - oldest[0].seq > BACKLOG_ROWS
        self._newest_old = newest.seq - _LIVE_ROWS if newest is not None and large else 0
        self._rewind(0)

    def _rewind(self, seq: int) -> None:
        """Look at everything from this number on again."""
        self._more = True
        self._cursors = [
            min(self._cursors[0], max(seq - 1, 0)) if seq else 0,
            min(self._cursors[1], max(seq - 1, self._newest_old)) if seq else self._newest_old,
        ]

    def delivered(self, seq: int) -> None:
        """Note that the broker took this alert."""
        self._in_flight.pop(seq, None)
        if self._attempts.pop(seq, None) is not None:
            self._more = True  # those behind it may have waited for this
        if not self._acked:
            self._acked_since_s = self._clock.monotonic_s()
        self._acked.append(seq)
        self.published += 1

    def refused(self, seq: int) -> None:
        """Note that the broker does not want this alert: it stays pending and is tried again later."""
        self._in_flight.pop(seq, None)
        tried = self._attempts.get(seq, 0)
        self._attempts[seq] = tried + 1
        self._retry_at[seq] = self._clock.monotonic_s() + self._backoff.delay_s(tried)
        self.refusals += 1

    def flush(self, *, now: bool = False) -> None:
        """Store the broker's answers when many or old ones wait, or when told `now`."""
        if not self._acked:
            return
        clock_s = self._clock.monotonic_s()
        if not now and clock_s < self._store_at_s:
            return
        try:
            if now or clock_s - self._acked_since_s > PATIENCE_S:
                self._outbox.acknowledge(self._acked)
            elif not self._outbox.try_acknowledge(self._acked):
                return
        except OutboxFullError:  # the core makes room; until then no more than a window goes out
            self._full_until_s = clock_s + FULL_S
        else:
            self._acked.clear()
            self._end_backlog()

    def replay(self, first: int, last: int) -> int:
        """Send the delivered alerts `first` to `last` again; give how many."""
        self.flush(now=True)
        again = self._outbox.replay(first, last)
        self._rewind(first)
        return again

    def overdue_s(self) -> float:
        """For how long the oldest alert in flight has had no answer, in seconds; 0 when there is none."""
        return self._clock.monotonic_s() - min(self._in_flight.values()) if self._in_flight else 0.0
