"""Outbox: alerts on disk before they exist; numbered, kept after delivery, and sent again on request."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from edge.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock

BUSY_S = 5.0
"""How long one connection waits for another one's short transaction."""
KEEP_ROWS = 1000
"""Never pruned, however old they look: a device without a battery clock believes it is 1970 until it is told."""

_VERSION = 1
_PRUNE_LOOK = 5000  # oldest rows looked at in one prune, so that it stays a short transaction
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_COLUMNS = "seq, camera, alert_id, type, committed_at, acked, payload"
_SCHEMA = """
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    type TEXT NOT NULL,
    committed_at REAL NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0,
    payload TEXT NOT NULL
);
CREATE INDEX alerts_pending ON alerts (seq) WHERE acked = 0;
CREATE TABLE open_lives (alert_id TEXT PRIMARY KEY, camera TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', '{epoch}');
PRAGMA user_version = {version};
COMMIT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One committed alert."""

    epoch: str  # 16 hexadecimal digits, random per database
    seq: int  # from 1, without holes, in the order of commits
    camera: str
    alert_id: str
    type: str
    committed_at: float  # seconds since the epoch, wall clock
    acked: bool  # the broker has it
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


class OutboxReader:
    """Read the outbox from another process, or from any thread of it; never writes.

    Each question opens the file anew, so it may appear, or be set aside and replaced, at any time: before it
    exists there is no epoch and there are no alerts. Every method raises OutboxError when the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def epoch(self) -> str | None:
        """The random name of this database, 16 hexadecimal digits; None before there is one."""
        found = self._rows("SELECT value FROM meta WHERE key = 'epoch'")
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

    def pending(self, limit: int, above: int = 0) -> list[Stored]:
        """Give at most `limit` unacknowledged alerts with a number greater than `above`, oldest first."""
        return self._stored("WHERE acked = 0 AND seq > ? ORDER BY seq LIMIT ?", (above, limit))

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
        rows = self._rows(f"SELECT {_COLUMNS}, (SELECT value FROM meta) FROM alerts {where}", values)  # noqa: S608
        return [
            Stored(
                seq=seq,
                camera=camera,
                alert_id=alert_id,
                type=kind,
                committed_at=at,
                acked=bool(acked),
                payload=text,
                epoch=epoch,
            )
            for seq, camera, alert_id, kind, at, acked, text, epoch in rows
        ]

    def _number(self, sql: str) -> int:
        rows = self._rows(sql)
        return int(rows[0][0] or 0) if rows else 0

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with _translated(self._path):
            db = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
            try:
                return db.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # it is being created just now
                    return []
                raise
            finally:
                db.close()


class OutboxDrain(OutboxReader):
    """The delivering side's own connection to an outbox that exists; belongs to the one thread that opened it.

    Its writes are not synced (`synchronous=NORMAL`): losing an acknowledgement in a power cut only means sending
    an alert twice, and the next commit of the core syncs them along, since both share one write-ahead log.
    """

    _synchronous = "NORMAL"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.exists():
            raise OutboxError(f"{path}: does not exist: the daemon creates it when it starts")
        with _translated(path):
            self._db = _connect(path, self._synchronous)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self._db.close()

    def acknowledge(self, seqs: Iterable[int]) -> None:
        """Note that the broker has these alerts, in one transaction. Raises OutboxError."""
        with self._transaction() as db:
            db.executemany("UPDATE alerts SET acked = 1 WHERE seq = ?", [(seq,) for seq in seqs])

    def replay(self, first: int, last: int) -> int:
        """Make the alerts `first` to `last` (both included) pending again; give how many. Raises OutboxError."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE alerts SET acked = 0 WHERE acked = 1 AND seq BETWEEN ? AND ?", (first, last)
            ).rowcount

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with _translated(self._path):
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block wrote, or nothing of it."""
        with _translated(self._path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


class Outbox(OutboxDrain):
    """The core's alert store; all of it belongs to the core's one thread, the only one that commits and prunes.

    Other threads and processes open an `OutboxDrain` or an `OutboxReader` on the same path.
    `recovered` says what was found and done when a damaged database was set aside at the start, else None.

    Raises:
        OutboxError: the file can't be opened or created, or was written by a newer edgeloupe.
    """

    _synchronous = "FULL"

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self.recovered: str | None = None
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fault = _fault(path)
            if fault is not None:
                kept = _set_aside(path, clock)
                self.recovered = f"{path}: was damaged ({fault}): kept as {kept.name}, begun anew with a new epoch"
            _create(path)
        super().__init__(path)

    def commit(self, payloads: Sequence[Mapping[str, Any]]) -> list[int]:
        """Store alerts in one transaction and give their numbers, in order.

        They exist, and survive a power cut, when this returns. Each payload needs the strings `camera`,
        `alert_id` and `type` (new, update, end); `epoch` and `seq` in it are replaced.

        Raises:
            OutboxError: nothing was stored: the disk is full, failing or read-only.
        """
        now = self._clock.wall_s()
        with self._transaction() as db:
            return [_insert(db, payload, now) for payload in payloads]

    def prune(self, keep_s: float, keep_rows: int = KEEP_ROWS, taken: int | None = None) -> int:
        """Delete delivered alerts older than `keep_s` seconds; give how many went.

        A part at a time, so call it regularly. The newest `keep_rows` stay whatever their age, and so do the
        last message of an alert that has not ended and, if given, all above `taken`. Raises OutboxError.
        """
        newest_old = min(self.last_seq - keep_rows, self.last_seq if taken is None else taken)
        with self._transaction() as db:
            return db.execute(
                "DELETE FROM alerts WHERE seq IN ("
                " SELECT seq FROM (SELECT seq, acked, committed_at FROM alerts WHERE seq <= ? ORDER BY seq LIMIT ?)"
                " WHERE acked = 1 AND committed_at < ? AND seq NOT IN (SELECT seq FROM open_lives))",
                (newest_old, _PRUNE_LOOK, self._clock.wall_s() - keep_s),
            ).rowcount


def _insert(db: sqlite3.Connection, payload: Mapping[str, Any], now: float) -> int:
    camera, alert_id, kind = (str(payload[key]) for key in ("camera", "alert_id", "type"))
    bare = {key: value for key, value in payload.items() if key not in ("epoch", "seq")}
    text = json.dumps(bare, separators=(",", ":"), allow_nan=False)
    cursor = db.execute(
        "INSERT INTO alerts (camera, alert_id, type, committed_at, payload) VALUES (?, ?, ?, ?, ?)",
        (camera, alert_id, kind, now, text),
    )
    seq = int(cursor.lastrowid or 0)
    if kind == "end":
        db.execute("DELETE FROM open_lives WHERE alert_id = ?", (alert_id,))
    else:
        db.execute("INSERT OR REPLACE INTO open_lives VALUES (?, ?, ?)", (alert_id, camera, seq))
    return seq


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA journal_size_limit = 4194304")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _create(path: Path) -> None:
    db = _connect(path, "FULL")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise OutboxError(f"{path}: was written by a newer edgeloupe: update this one, or move the file away")
        if version == 0:
            db.execute("PRAGMA page_size = 1024")
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA.format(version=_VERSION, epoch=secrets.token_hex(8)))
    finally:
        db.close()


def _fault(path: Path) -> str | None:
    """Say what is wrong with the database; None when it is sound, empty or not there."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        answer = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if answer != "ok":
            return " ".join(answer.split())
        if db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            db.execute("SELECT seq FROM alerts LIMIT 1").fetchone()
            if db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone() is None:
                return "it has no epoch"
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGED or "no such table" in str(error):
            return str(error)
        raise
    finally:
        db.close()
    return None


def _set_aside(path: Path, clock: Clock) -> Path:
    """Rename the database and its log, which belong together; nothing is deleted."""
    stamp = datetime.fromtimestamp(clock.wall_s(), UTC).strftime("%Y%m%dT%H%M%SZ")
    names = [f"{path.name}.corrupt-{stamp}{n}" for n in ("", *(f"-{i}" for i in range(2, 1000)))]
    target = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(target.with_name(target.name + suffix))
    return target


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        advice = "make room on the disk" if full else "check the disk and the rights of its folder"
        raise OutboxError(f"{path}: {error}: {advice}") from error
