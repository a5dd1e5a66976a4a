"""Archive: alerts in a file of the receiving side, each once: lines of JSON, or SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from edge.errors import ConfigError, OutboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.consume import Alert


class Archive(Protocol):
    """Where alerts are kept; belongs to one thread."""

    def __enter__(self) -> Self:
        """Open the file. Raises OutboxError."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close the file."""
        ...

    def add(self, alert: Alert) -> None:
        """Keep an alert, on the disk when this returns; one that is kept already is left out. Raises OutboxError."""
        ...


def archive(path: Path) -> Archive:
    """Choose by the name's ending. Raises ConfigError."""
    match path.suffix:
        case ".ndjson" | ".jsonl":
            return Lines(path)
        case ".sqlite" | ".db":
            return Table(path)
        case _:
            raise ConfigError(f"{path}: give a name that ends in .ndjson or .sqlite")


class Lines:
    """One alert per line. What a crash left half-written is cut off; the alert of the last whole line is known."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        with _translated(self._path):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._size = os.lseek(self._handle, 0, os.SEEK_END)
            tail = os.pread(self._handle, min(self._size, 1 << 24), max(self._size - (1 << 24), 0))
            whole = tail.rfind(b"\n") + 1
            self._size -= len(tail) - whole
            os.ftruncate(self._handle, self._size)
            self._last = tail[tail.rfind(b"\n", 0, whole - 1) + 1 : whole]
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._handle)

    def add(self, alert: Alert) -> None:
        """Append a line, unless it is the last one."""
        line = json.dumps({"device": alert.device, **alert.payload}, separators=(",", ":")).encode() + b"\n"
        if line == self._last:  # written before the crash, and not noted as dealt with
            return
        with _translated(self._path):
            done = os.pwrite(self._handle, line, self._size)
            if done < len(line):
                raise OSError(28, "No space left on device")
            os.fdatasync(self._handle)
        self._size += len(line)
        self._last = line


class Table:
    """One row per alert, by device, epoch and seq."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        with _translated(self._path):
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS alerts (device TEXT, epoch TEXT, seq INTEGER, camera TEXT, type TEXT,"
                " alert_id TEXT, creation_time TEXT, result_evaluation TEXT, payload TEXT,"
                " PRIMARY KEY (device, epoch, seq)) WITHOUT ROWID"
            )
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    def add(self, alert: Alert) -> None:
        """Insert a row, unless it is there."""
        told = [alert.payload.get(name) for name in ("type", "alert_id", "creation_time", "result_evaluation")]
        plain = [value if isinstance(value, str) else None for value in told]
        row = (alert.device, alert.epoch, alert.seq, alert.camera, *plain, json.dumps(dict(alert.payload)))
        with _translated(self._path):
            self._db.execute("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutboxError(f"{path}: {reason}: give a file that can be written") from error
