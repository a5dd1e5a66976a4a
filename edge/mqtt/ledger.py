"""Ledger: which alerts of which devices were dealt with, as ranges of numbers in a small SQLite database."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from edge.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS consumer (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS epochs (
    device TEXT NOT NULL, epoch TEXT NOT NULL, floor INTEGER NOT NULL, PRIMARY KEY (device, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spans (
    device TEXT NOT NULL, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (device, epoch, first)
) WITHOUT ROWID;
"""
_HERE = "device = ? AND epoch = ?"


class Ledger:
    """The memory of a consumer; belongs to one thread. Survives the process, not a power cut, when it has a file.

    Raises:
        OutboxError: the file can't be opened or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._name = str(path or ":memory:")
        with self._translated():
            self._db = sqlite3.connect(self._name, isolation_level=None, timeout=5.0)
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
                self.client_id = self._client_id()
            except sqlite3.Error:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def knows(self, device: str) -> bool:
        """Say whether any alert or state of the device was ever seen."""
        with self._translated():
            return self._db.execute("SELECT 1 FROM epochs WHERE device = ? LIMIT 1", (device,)).fetchone() is not None

    def floor(self, device: str, epoch: str) -> int | None:
        """Give the number up to which nothing is asked for; None for an epoch that is new to us."""
        with self._translated():
            row = self._db.execute(f"SELECT floor FROM epochs WHERE {_HERE}", (device, epoch)).fetchone()  # noqa: S608
        return None if row is None else int(row[0])

    def set_floor(self, device: str, epoch: str, floor: int) -> None:
        """Begin an epoch."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO epochs VALUES (?, ?, ?)", (device, epoch, floor))

    def has(self, device: str, epoch: str, seq: int) -> bool:
        """Say whether this alert was dealt with."""
        query = f"SELECT last FROM spans WHERE {_HERE} AND first <= ? ORDER BY first DESC LIMIT 1"  # noqa: S608
        with self._translated():
            row = self._db.execute(query, (device, epoch, seq)).fetchone()
        return row is not None and int(row[0]) >= seq

    def add(self, device: str, epoch: str, first: int, last: int) -> None:
        """Note the alerts `first` to `last`, both included, as dealt with."""
        touching = f"FROM spans WHERE {_HERE} AND first <= ? AND last >= ?"
        values = (device, epoch, last + 1, first - 1)
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                least, most = self._db.execute(f"SELECT min(first), max(last) {touching}", values).fetchone()
                self._db.execute(f"DELETE {touching}", values)
                first, last = min(first, least or first), max(last, most or last)
                self._db.execute("INSERT INTO spans VALUES (?, ?, ?, ?)", (device, epoch, first, last))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def gap(self, device: str, epoch: str, first: int, last: int) -> tuple[int, int] | None:
        """Give the lowest range between `first` and `last`, both included, that was not dealt with."""
        query = f"SELECT first, last FROM spans WHERE {_HERE} AND last >= ? ORDER BY first LIMIT 2"  # noqa: S608
        with self._translated():
            spans = self._db.execute(query, (device, epoch, first)).fetchall()
        if spans and spans[0][0] <= first:
            first = spans.pop(0)[1] + 1
        if spans:
            last = min(last, spans[0][0] - 1)
        return (first, last) if first <= last else None

    def highest(self, device: str, epoch: str) -> int:
        """Give the greatest number dealt with; 0 when there is none."""
        query = f"SELECT max(last) FROM spans WHERE {_HERE}"  # noqa: S608
        with self._translated():
            return int(self._db.execute(query, (device, epoch)).fetchone()[0] or 0)

    def _client_id(self) -> str:
        row = self._db.execute("SELECT id FROM consumer").fetchone()
        if row is None:
            row = (f"edgeloupe-listen-{secrets.token_hex(6)}",)
            self._db.execute("INSERT INTO consumer VALUES (?)", row)
        return str(row[0])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutboxError(
                f"{self._name}: {error}: give a file that can be written, made by this program"
            ) from error
