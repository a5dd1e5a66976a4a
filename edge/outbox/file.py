"""Outbox file: its tables, how it is opened and made, and whose fault it is when that fails."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from edge.cache import sync_folder, write_whole
from edge.errors import OutboxDamagedError, OutboxError, OutboxFullError
from edge.outbox.carve import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from edge.outbox.carve import Row

BUSY_S = 5.0
"""How long one connection waits for another one's short transaction."""
VERSION = 2
LOG_BYTES = 32 + 1000 * (PAGE + 24)
"""Of the log when SQLite moves what is in it to its place: 1000 pages, and headers (sqlite.org/walformat.html)."""

EVERYBODY = ""
"""Stands among the sinks' places after damage took them: nobody's are known, and all begin there."""

_COMMON = """
CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE positions (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID
"""
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    type TEXT NOT NULL,
    committed_at REAL NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0,
    payload TEXT NOT NULL,
    crc INTEGER -- CRC-32 of the payload: SQLite's own check sees broken trees, not a flipped bit in a row
);
CREATE INDEX alerts_pending ON alerts (seq) WHERE acked = 0;
CREATE TABLE open_lives (alert_id TEXT PRIMARY KEY, camera TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
{_COMMON};
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """Open a database that exists. Raises sqlite3.Error."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
    db.text_factory = readable
    try:
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA journal_size_limit = 4194304")
    except sqlite3.Error:
        db.close()
        raise
    return db


def lay_log(path: Path) -> None:
    """Give the log its full length where there is none: a flush of what lies within a file is one write to the disk.

    That of a file that grew waits for the file system's own journal, and so for everybody else's writes. Zeros are no
    page of a log. To be called before anybody opens the database; goes on without where there is no room.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        with suppress(OSError):
            write_whole(log, bytes(LOG_BYTES))
            log.chmod(path.stat().st_mode)  # as SQLite makes it


def readable(text: bytes) -> str:
    """Decode a column, damaged as it may be: its check sum tells."""
    return text.decode("utf-8", "replace")


def build(
    path: Path,
    *,
    epoch: str | None = None,
    last: int = 0,
    rows: Iterable[Row] = (),
    gaps: Iterable[tuple[int, int, str, float]] = (),
    places: Iterable[tuple[str, int]] = (),
) -> None:
    """Make a database, whole and flushed or not at all, whose next number is above `last` and above all rows'.

    Rows that come twice are joined, as pending if one of them is. Raises OSError, sqlite3.Error.
    """
    partial = path.with_name(f"{path.name}.partial")
    for suffix in ("", "-wal", "-shm", "-journal"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(partial, isolation_level=None)) as db:
        db.executescript(f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch or secrets.token_hex(8),))
        db.execute("INSERT INTO sqlite_sequence VALUES ('alerts', ?)", (last,))
        db.executemany(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET acked = min(acked, excluded.acked)",
            rows,
        )
        db.execute(
            "INSERT INTO open_lives SELECT alert_id, camera, seq FROM"
            " (SELECT alert_id, camera, type, max(seq) AS seq FROM alerts GROUP BY alert_id)"
            " WHERE type IN ('new', 'update')"
        )
        db.executemany("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)", gaps)
        db.executemany("INSERT INTO positions VALUES (?, ?)", places)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")  # here, where no journal of the change can be left behind
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def upgrade(path: Path) -> None:
    """Bring a sound database to the present form. Raises OutboxError for one of a newer edgeloupe, sqlite3.Error."""
    with closing(connect(path, "FULL")) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise OutboxError(f"{path}: was written by a newer edgeloupe: update this one, or move the file away")
        if version < VERSION:
            added = f"{_COMMON}; ALTER TABLE alerts ADD COLUMN crc INTEGER"
            db.executescript(f"BEGIN; {added}; PRAGMA user_version = {VERSION}; COMMIT")


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether an error means that the file itself is broken."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED or "no such table" in str(error)


class Translated:
    """Turns the errors of SQLite and of the file system into ours; may be entered again and again, also within itself.

    A class, since it stands around every statement: a generator's machinery takes longer than some of these.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, sqlite3.Error | OSError):
            return
        path = self._path
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL or _no_room(error, path):
            raise OutboxFullError(f"{path}: {error}: make room on the disk") from error
        ours = OutboxDamagedError if isinstance(error, sqlite3.Error) and is_damage(error) else OutboxError
        raise ours(f"{path}: {error}: check the disk and the rights of its folder") from error


class Transaction:
    """Commits what its block wrote, or nothing of it; its errors are ours. May be entered again and again."""

    def __init__(self, db: sqlite3.Connection, translated: Translated) -> None:
        self._db, self._translated = db, translated

    def __enter__(self) -> sqlite3.Connection:
        with self._translated:
            self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._translated:
            self._db.__exit__(kind, error, trace)
        self._translated.__exit__(kind, error, trace)


def _no_room(error: Exception, path: Path) -> bool:
    """SQLite calls some failures for want of space mere I/O errors: those of its index to the log, for one."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_IOERR:
        return False
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < 1 << 16
