"""Outbox: alerts on disk before they exist; numbered, kept after delivery, and sent again on request."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from edge.clock import rfc3339
from edge.errors import OutboxError
from edge.outbox.carve import PAGE, is_intact
from edge.outbox.file import BUSY_S, Transaction, Translated, connect, lay_log, readable
from edge.outbox.fold import OVER
from edge.outbox.high_water import HighWater
from edge.outbox.salvage import make_sound
from edge.written import compact, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock

KEEP_ROWS = 1000
"""Never pruned, however old they look: a device without a battery clock believes it is 1970 until it is told."""
KEEP_BYTES = 1 << 30
GAPS = 16
"""So many of the newest gaps are told."""

_NEWEST = 20  # as many as are ever on their way
_PRUNE_LOOK = 5000  # oldest rows looked at in one prune, so that it stays a short transaction
_STRICT = compact(allow_nan=False)
_EPOCH = "SELECT value FROM meta WHERE key = 'epoch'"
_COLUMNS = f"coalesce(?, ({_EPOCH})), seq, camera, alert_id, type, committed_at, payload"


class Stored(NamedTuple):
    """One committed alert."""

    epoch: str  # 16 hexadecimal digits, random per database
    seq: int  # from 1, without holes, in the order of commits
    camera: str
    alert_id: str
    type: str
    committed_at: float  # seconds since the epoch, wall clock
    payload: str  # JSON object without epoch and seq

    @property
    def message(self) -> str:
        """The JSON that goes out: the payload with `epoch` and `seq`."""
        head = f'{{"epoch":"{self.epoch}","seq":{self.seq}'
        return f"{head}}}" if self.payload == "{}" else f"{head},{self.payload[1:]}"

    def fields(self) -> dict[str, Any]:
        """Give the message as plain values."""
        fields: dict[str, Any] = json.loads(self.message)
        return fields


class Newest:
    """The alerts committed last, in memory: whoever delivers them at once need not read them back from the file.

    The core's thread writes, any thread reads.
    """

    def __init__(self) -> None:
        self._rows: tuple[Stored, ...] = ()

    def after(self, seq: int) -> Sequence[Stored] | None:
        """Give all above a number, oldest first; None where the file must be asked."""
        rows = self._rows
        return rows[seq + 1 - rows[0].seq :] if rows and rows[0].seq <= seq + 1 else None  # numbers have no holes

    def add(self, rows: Iterable[Stored]) -> None:
        """Note what was committed."""
        self._rows = (*self._rows, *rows)[-_NEWEST:]

    def clear(self) -> None:
        """Forget them: the file holds others."""
        self._rows = ()


class OutboxReader:
    """Read the outbox from another process, or from any thread of it; never writes.

    Each question opens the file anew, so it may appear, or be set aside and replaced, at any time: before it
    exists there is no epoch and there are no alerts. Every method raises OutboxError when the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._translated = Translated(path)
        self._epoch: str | None = None  # known where the connection, and so the database, stays the same

    @property
    def epoch(self) -> str | None:
        """The random name of this database, 16 hexadecimal digits; None before there is one."""
        found = self._rows(_EPOCH)
        return str(found[0][0]) if found else None

    @property
    def last_seq(self) -> int:
        """The number given last, delivered or pruned rows included; 0 when there was none."""
        return self._number("SELECT seq FROM sqlite_sequence WHERE name = 'alerts'")

    @property
    def first_seq(self) -> int:
        """The oldest number that can be replayed; `last_seq` + 1 when nothing is kept."""
        return self._number("SELECT min(seq) FROM alerts") or self.last_seq + 1

    @property
    def pending_count(self) -> int:
        """How many alerts the broker has not acknowledged."""
        return self._number("SELECT count(*) FROM alerts WHERE acked = 0")

    @property
    def newest_pending(self) -> Stored | None:
        """The alert that waits for the shortest time."""
        found = self._stored("WHERE acked = 0 ORDER BY seq DESC LIMIT 1")
        return found[0] if found else None

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        return self._number("SELECT page_count FROM pragma_page_count") * PAGE - self.free_bytes

    @property
    def free_bytes(self) -> int:
        """How much of the file can be used again."""
        return self._number("SELECT freelist_count FROM pragma_freelist_count") * PAGE

    def gaps(self) -> list[dict[str, Any]]:
        """Give the newest ranges of numbers whose alerts are lost or folded: first_seq, last_seq, reason, at."""
        rows = self._rows("SELECT first, last, reason, at FROM gaps ORDER BY first DESC LIMIT ?", (GAPS,))
        names = ("first_seq", "last_seq", "reason", "at")
        return [dict(zip(names, (*row[:3], rfc3339(row[3])), strict=True)) for row in rows[::-1]]

    def pending(self, limit: int, above: int = 0, upto: int = 1 << 62) -> list[Stored]:
        """Give at most `limit` unacknowledged alerts numbered above `above` and up to `upto`, oldest first."""
        return self._stored("WHERE acked = 0 AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?", (above, upto, limit))

    def recent(self, limit: int, before_seq: int | None = None) -> list[dict[str, Any]]:
        """Give at most `limit` messages, newest first; those below `before_seq` if it is given."""
        below = before_seq if before_seq is not None else 1 << 62
        return [row.fields() for row in self._stored("WHERE seq < ? ORDER BY seq DESC LIMIT ?", (below, limit))]

    def open_alerts(self, camera: str) -> list[dict[str, Any]]:
        """Give the last message of every alert of `camera` that has not ended, oldest first."""
        where = "WHERE seq IN (SELECT seq FROM open_lives WHERE camera = ?) ORDER BY seq"
        return [row.fields() for row in self._stored(where, (camera,))]

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Give the ranges from `first` to `last` (both included, at most 100,000 numbers) that are not kept."""
        last = min(last, first + 99_999)
        kept = [row[0] for row in self._rows("SELECT seq FROM alerts WHERE seq BETWEEN ? AND ?", (first, last))]
        edges = [first - 1, *kept, last + 1]
        return [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]

    def _stored(self, where: str, values: tuple[Any, ...] = ()) -> list[Stored]:
        """Give rows; those whose payload is not what was written are left out."""
        return self._read(where, values)[0]

    def _read(self, where: str, values: tuple[Any, ...]) -> tuple[list[Stored], list[int]]:
        """Give the intact rows, and the numbers of the others."""
        rows = self._rows(f"SELECT {_COLUMNS}, crc FROM alerts {where}", (self._epoch, *values))  # noqa: S608
        intact = [Stored(*row[:-1]) for row in rows if is_intact(*row[-2:])]
        return intact, [row[1] for row in rows if not is_intact(*row[-2:])] if len(intact) < len(rows) else []

    def _number(self, sql: str) -> int:
        rows = self._rows(sql)
        return int(rows[0][0] or 0) if rows else 0

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with self._translated:
            name = f"{self._path.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(name, uri=True, timeout=BUSY_S)) as db:
                db.text_factory = readable
                return db.execute(sql, values).fetchall()


class OutboxDrain(OutboxReader):
    """The delivering side's own connection to an outbox that exists; belongs to the one thread that opened it.

    Its writes are not synced (`synchronous=NORMAL`): losing an acknowledgement in a power cut only means sending
    an alert twice, and the next commit of the core syncs them along, since both share one write-ahead log.
    """

    _synchronous = "NORMAL"
    _epoch: str

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.exists():
            raise OutboxError(f"{path}: does not exist: the daemon creates it when it starts")
        with self._translated:
            self._db = connect(path, self._synchronous)
        self._transaction = Transaction(self._db, self._translated)
        self._epoch = str(super().epoch)

    @property
    def epoch(self) -> str:
        """The random name of this database, 16 hexadecimal digits."""
        return self._epoch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self._db.close()

    def acknowledge(self, seqs: Iterable[int]) -> None:
        """Note that the broker has these alerts, in one transaction. Raises OutboxError."""
        with self._transaction as db:
            db.executemany("UPDATE alerts SET acked = 1 WHERE seq = ?", [(seq,) for seq in seqs])

    def try_acknowledge(self, seqs: Iterable[int]) -> bool:
        """Acknowledge unless somebody else is writing just now; say whether it was done. Raises OutboxError.

        The core may be waiting for the disk: whoever delivers alerts should not wait with it.
        """
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            self.acknowledge(seqs)
        except OutboxError as error:
            if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        return True

    def replay(self, first: int, last: int) -> int:
        """Make the alerts `first` to `last` (both included) pending again; give how many. Raises OutboxError."""
        with self._transaction as db:
            return db.execute(
                "UPDATE alerts SET acked = 0 WHERE acked = 1 AND seq BETWEEN ? AND ?", (first, last)
            ).rowcount

    def _stored(self, where: str, values: tuple[Any, ...] = ()) -> list[Stored]:
        """Give rows; what was damaged since it was written is deleted, and declared as a gap."""
        rows, damaged = self._read(where, values)
        if damaged:
            with self._transaction as db:
                _declare(db, damaged, "damaged", rows[-1].committed_at if rows else 0.0)
        return rows

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._translated:
            return self._db.execute(sql, values).fetchall()


class Outbox(OutboxDrain):
    """The core's alert store; all of it belongs to the core's one thread, the only one that commits and prunes.

    Other threads and processes open an `OutboxDrain` or an `OutboxReader` on the same path.
    `recovered` says what was found and done when a damaged database was set aside at the start, else None.

    Raises:
        OutboxError: the file can't be opened or created, or was written by a newer edgeloupe.
    """

    _synchronous = "FULL"

    def __init__(self, path: Path, clock: Clock) -> None:
        self.newest = Newest()
        self._clock = clock
        self._high_water = HighWater(path.with_name(f"{path.name}-high-water"))
        with Translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.recovered = make_sound(path, self._high_water, clock)
            lay_log(path)
        super().__init__(path)
        self._last = self.last_seq

    def close(self) -> None:
        """Close database and numbers; what was committed stays."""
        super().close()
        self._high_water.close()

    def commit(self, payloads: Sequence[Mapping[str, Any]]) -> list[int]:
        """Store alerts in one transaction and give their numbers, in order.

        They exist, and survive a power cut, when this returns. Each payload needs the strings `camera`,
        `alert_id` and `type` (new, update, end, summary); `epoch` and `seq` in it are replaced.

        Raises:
            OutboxFullError: nothing was stored: the disk is full.
            OutboxError: nothing was stored: the disk is failing or read-only.
        """
        now = self._clock.wall_s()
        with self._translated:
            self._high_water.reserve(self._epoch, self._last + len(payloads))
        with self._transaction as db:
            rows = [_insert(db, self._epoch, payload, now) for payload in payloads]
        if rows:
            self._last = rows[-1].seq
            self._high_water.use(self._epoch, self._last)
            self.newest.add(rows)
        return [row.seq for row in rows]

    def prune(
        self, keep_s: float, keep_rows: int = KEEP_ROWS, keep_bytes: int = KEEP_BYTES, taken: int | None = None
    ) -> int:
        """Delete delivered alerts older than `keep_s` seconds, and the oldest beyond `keep_bytes`; give how many went.

        A part at a time, so call it regularly. The newest `keep_rows` stay whatever their age and size, and so do the
        last message of an alert that has not ended and, if given, all above `taken`. Raises OutboxError.
        """
        upto = min(self._last - keep_rows, self._last if taken is None else taken)
        gone = self._delete_delivered(upto, self._clock.wall_s() - keep_s)
        return gone + (self._delete_delivered(upto) if self.size_bytes > keep_bytes else 0)

    def evict(self) -> int:
        """Delete the oldest delivered alerts, because the disk is full; give how many went. Raises OutboxError."""
        return self._delete_delivered(self._last)

    def fold(self, limit: int, folded: Callable[[Sequence[Stored]], Sequence[Mapping[str, Any]]]) -> int:
        """Replace the oldest pending alerts, at most `limit`, by what `folded` makes of them; give how many went.

        Their numbers become a gap with the reason `folded`. Alerts that have not ended keep their last message.
        Raises OutboxError.
        """
        rows = self._stored(
            "WHERE acked = 0 AND seq NOT IN (SELECT seq FROM open_lives) ORDER BY seq LIMIT ?", (limit,)
        )
        if len(rows) < 2:
            return 0
        now = self._clock.wall_s()
        summaries = folded(rows)
        with self._translated:
            self._high_water.reserve(self._epoch, self._last + len(summaries))
        with self._transaction as db:
            _declare(db, [row.seq for row in rows], "folded", now)
            self._last = [_insert(db, self._epoch, summary, now).seq for summary in summaries][-1]
        self.newest.clear()
        self._high_water.use(self._epoch, self._last)
        return len(rows)

    def limit_log(self, pages: int = 1000) -> None:
        """Move what was committed from the log to its place each time it has so many pages. Raises OutboxError."""
        with self._translated:
            self._db.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def _delete_delivered(self, upto: int, older_than: float = 1e12) -> int:
        with self._transaction as db:
            return db.execute(
                "DELETE FROM alerts WHERE seq IN ("
                " SELECT seq FROM (SELECT seq, acked, committed_at FROM alerts WHERE seq <= ? ORDER BY seq LIMIT ?)"
                " WHERE acked = 1 AND committed_at < ? AND seq NOT IN (SELECT seq FROM open_lives))",
                (upto, _PRUNE_LOOK, older_than),
            ).rowcount


def _declare(db: sqlite3.Connection, seqs: Sequence[int], reason: str, now: float) -> None:
    """Delete alerts and note their numbers as gaps, joined to the ones before where they touch."""
    for seq in seqs:
        db.execute("DELETE FROM alerts WHERE seq = ?", (seq,))
        db.execute("DELETE FROM open_lives WHERE seq = ?", (seq,))
        touching = "UPDATE gaps SET last = ?, at = ? WHERE last = ? AND reason = ?"
        if not db.execute(touching, (seq, now, seq - 1, reason)).rowcount:
            db.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)", (seq, seq, reason, now))
    db.execute("DELETE FROM gaps WHERE first NOT IN (SELECT first FROM gaps ORDER BY first DESC LIMIT 1000)")


def _insert(db: sqlite3.Connection, epoch: str, payload: Mapping[str, Any], now: float) -> Stored:
    camera, alert_id, kind = (str(payload[key]) for key in ("camera", "alert_id", "type"))
    text = dumps(payload, _STRICT, without=("epoch", "seq"))
    cursor = db.execute(
        "INSERT INTO alerts (camera, alert_id, type, committed_at, payload, crc) VALUES (?, ?, ?, ?, ?, ?)",
        (camera, alert_id, kind, now, text, zlib.crc32(text.encode())),
    )
    seq = int(cursor.lastrowid or 0)
    if kind in OVER:
        db.execute("DELETE FROM open_lives WHERE alert_id = ?", (alert_id,))
    else:
        db.execute("INSERT OR REPLACE INTO open_lives VALUES (?, ?, ?)", (alert_id, camera, seq))
    return Stored(epoch, seq, camera, alert_id, kind, now, text)
