"""Audit: who asked the device for what, and what became of it; a small book of its own."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from edge.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.clock import Clock

KEPT = 10_000
"""So many of the newest rows are kept."""
JOIN_S = 60.0
"""Refusals of the same kind within this time share a row that counts them: a flood fills no disk."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, verb TEXT NOT NULL, who TEXT NOT NULL,
    correlation TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, count INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS audit_correlation ON audit (who, correlation);
"""


class Audit:
    """The book, one SQLite file; belongs to one thread. Methods raise OutboxError."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        with self._translated():
            try:
                self._db = _open(path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                    raise
                path.replace(path.with_name(f"{path.name}.corrupt"))
                self._db = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    def note(self, *, verb: str, who: str, correlation: str, outcome: str, detail: str = "", count: int = 1) -> int:
        """Write a row; give its number."""
        told = (self._clock.wall_s(), verb, who, correlation, outcome, detail, count)
        with self._translated():
            cursor = self._db.execute(
                "INSERT INTO audit (at, verb, who, correlation, outcome, detail, count) VALUES (?, ?, ?, ?, ?, ?, ?)",
                told,
            )
            number = int(cursor.lastrowid or 0)
            if number % 100 == 0:
                self._db.execute("DELETE FROM audit WHERE id <= ?", (number - KEPT,))
        return number

    def refuse(self, *, verb: str, who: str, detail: str, count: int = 1) -> None:
        """Write down refusals, or count them with the last ones of their kind."""
        now = self._clock.wall_s()
        with self._translated():
            joined = self._db.execute(
                "UPDATE audit SET count = count + ? WHERE id > (SELECT max(id) - 64 FROM audit)"
                " AND verb = ? AND who = ? AND outcome = 'refused' AND detail = ? AND at BETWEEN ? AND ?",
                (count, verb, who, detail, now - JOIN_S, now),
            )
        if not joined.rowcount:
            self.note(verb=verb, who=who, correlation="", outcome="refused", detail=detail, count=count)

    def settle(self, number: int, outcome: str, detail: str) -> None:
        """Write down what became of a command."""
        with self._translated():
            self._db.execute("UPDATE audit SET outcome = ?, detail = ? WHERE id = ?", (outcome, detail, number))

    def knows(self, who: str, correlation: str) -> bool:
        """Say whether this one's command of this name was accepted before."""
        with self._translated():
            found = self._db.execute(
                "SELECT 1 FROM audit WHERE who = ? AND correlation = ? AND outcome != 'refused' LIMIT 1",
                (who, correlation),
            )
            return found.fetchone() is not None

    def rows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest rows, newest first."""
        names = ("id", "at", "verb", "who", "correlation", "outcome", "detail", "count")
        with self._translated():
            found = self._db.execute(f"SELECT {', '.join(names)} FROM audit ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
            return [dict(zip(names, row, strict=True)) for row in found]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(f"{self._path}: {error}: check the disk and the rights of its folder") from error


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db
