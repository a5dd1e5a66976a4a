"""Salvage: make the outbox's file usable, whatever a power cut, a bad disk or a hand did to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from edge.cache import sync_folder
from edge.outbox.carve import carve
from edge.outbox.file import BUSY_S, EVERYBODY, VERSION, build, is_damage, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.clock import Clock
    from edge.outbox.carve import Row
    from edge.outbox.high_water import HighWater, Mark

KEPT = 3
"""So many damaged databases are set aside for a person to look at; older ones make room."""
MOST_S = 6.0
"""So long a start may look for damage, and again for rows; what was not found until then is declared as a gap."""
_MOST_LOG_BYTES = 64 << 20


def make_sound(path: Path, high_water: HighWater, clock: Clock) -> str | None:
    """See that there is a sound database at `path`; say what had to be done, None when it was nothing.

    Numbers are never given twice: without a whole database the next one lies above all that were ever reserved.
    Raises OutboxError, OSError, sqlite3.Error.
    """
    mark = high_water.read()
    salvaged = path.with_name(f"{path.name}.salvaged")
    if salvaged.exists():  # the power went just before the exchange
        return _exchange(path, salvaged, clock, "an exchange was cut short")
    if not path.exists() or path.stat().st_size == 0:
        if _parts(path):
            _set_aside(path, clock)
        build(path, last=mark.reserved if mark else 0)
        upgrade(path)
        if mark is None:
            return None
        return f"{path}: was gone: begun anew with a new epoch, after number {mark.reserved}"
    fault = _fault(path, mark, clock)
    if fault is None:
        upgrade(path)
        return None
    _rescue(path, salvaged, mark, clock)
    return _exchange(path, salvaged, clock, fault)


def _fault(path: Path, mark: Mark | None, clock: Clock) -> str | None:
    """Say what is wrong with the database; None when it is sound. Changes nothing: a foreign log is not applied."""
    until = clock.monotonic_s() + MOST_S
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
        db.set_progress_handler(lambda: clock.monotonic_s() > until, 100_000)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] > VERSION:
                return None
            epoch = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'alerts'").fetchone()
            db.execute("SELECT seq FROM open_lives LIMIT 1").fetchone()
            if epoch is None:
                return "it has no epoch"
            if mark is not None and mark.epoch == epoch[0] and mark.used > (last[0] if last else 0):
                return f"the alerts up to {mark.used} are not in it"
            answer = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:  # large, and sound as far as it was looked at
                return None
            if is_damage(error):
                return str(error)
            raise
    return None if answer == "ok" else " ".join(answer.split())


def _rescue(path: Path, salvaged: Path, mark: Mark | None, clock: Clock) -> None:
    """Write all rows that can be read into a new database; what is missing between them is declared as gaps."""
    until = clock.monotonic_s() + MOST_S
    log = path.with_name(f"{path.name}-wal")
    logged = b""
    if log.exists():
        with log.open("rb") as file:
            logged = file.read(_MOST_LOG_BYTES)
    seqs: set[int] = set()
    most = mark.reserved if mark else 1 << 62

    def rows() -> Iterator[Row]:
        for row in carve(path, logged):
            if clock.monotonic_s() > until:
                return
            if row[0] <= most:
                seqs.add(row[0])
                yield row

    def gaps() -> Iterator[tuple[int, int, str, float]]:
        last = mark.reserved if mark else max(seqs, default=0)
        yield from ((*hole, "damaged", clock.wall_s()) for hole in _holes(seqs, last))

    # A reserved number that was never given is declared as lost too: better than giving one twice.
    build(
        salvaged,
        epoch=mark.epoch if mark else None,
        last=mark.reserved if mark else 0,
        rows=rows(),
        gaps=gaps(),  # consumed after the rows
        places=_places(path),
    )


def _places(path: Path) -> list[tuple[str, int]]:
    """Read how far each sink had come; where that can't be read, all begin anew: twice is better than never."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            return [(str(sink), int(seq)) for sink, seq in db.execute("SELECT sink, seq FROM positions")]
    except (sqlite3.Error, ValueError, TypeError):
        return [(EVERYBODY, 0)]


def _holes(seqs: set[int], last: int) -> list[tuple[int, int]]:
    """Give the ranges of numbers that are missing from the lowest found up to `last`."""
    edges = [min(seqs, default=1) - 1, *sorted(seqs), last + 1]
    return [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]


def _exchange(path: Path, salvaged: Path, clock: Clock, fault: str) -> str:
    """Set the old database aside and put the new one in its place; can be cut short anywhere and done again."""
    kept = _set_aside(path, clock) if _parts(path) else None
    salvaged.replace(path)
    sync_folder(path.parent)
    upgrade(path)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT count(*) FROM alerts").fetchone()[0]
        lost = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM gaps").fetchone()[0]
    where = f" as {kept.name}" if kept else ""
    return f"{path}: was damaged ({fault}): kept{where}; {rows} alerts salvaged, at most {lost} numbers lost"


def _parts(path: Path) -> list[Path]:
    names = (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
    return [part for part in names if part.exists()]


def _set_aside(path: Path, clock: Clock) -> Path:
    """Rename the database and its log, which belong together; the log first: alone it would harm what comes next."""
    stamp = datetime.fromtimestamp(clock.wall_s(), UTC).strftime("%Y%m%dT%H%M%SZ")
    names = [f"{path.name}.corrupt-{stamp}{n}" for n in ("", *(f"-{i}" for i in range(2, 1000)))]
    target = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    for part in reversed(_parts(path)):
        part.rename(target.with_name(target.name + part.name.removeprefix(path.name)))
    older = [old for old in path.parent.glob(f"{path.name}.corrupt-*") if not old.name.endswith(("-wal", "-shm"))]
    for old in sorted(older, key=lambda old: old.stat().st_mtime)[:-KEPT]:
        for part in _parts(old):
            part.unlink(missing_ok=True)
    return target
