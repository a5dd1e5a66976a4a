"""Damaged outboxes are opened again: `python -m tests.soak.corruption [TRIALS]`, 5,000 unless told."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge.clock import FakeClock
from edge.outbox.carve import PAGE, carve
from edge.outbox.outbox import Outbox
from tests.soak.command import command

if TYPE_CHECKING:
    from pathlib import Path

TRIALS = 5000
ROWS = 300
KINDS = (
    "bit",
    "zero page",
    "garbage",
    "truncated",
    "log bit",
    "log cut",
    "foreign log",
    "no log",
    "gone",
    "mark",
    "both",
)


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    trials: int = 0
    damaged: int = 0  # trials in which damage was noticed
    readable: int = 0  # rows on pages that were not touched
    salvaged: int = 0  # of these
    reused: int = 0  # numbers given twice
    slowest_s: float = 0.0

    @property
    def clean(self) -> bool:
        return self.salvaged == self.readable and not self.reused and self.slowest_s < 10


def corrupt(trials: int, seed: int, folder: Path) -> Figures:
    """Damage a copy of one database `trials` times, each time otherwise, and open it."""
    sound, foreign, copy = folder / "sound", folder / "foreign", folder / "copy"
    for place in (sound, foreign):
        _fill(place)
    pages = _pages(sound / "outbox.sqlite")
    chance, figures = random.Random(seed), Figures()
    for n in tqdm(range(trials), disable=None, unit="trial"):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        kind = KINDS[n % len(KINDS)]
        _damage(kind, copy, foreign, chance)
        path = copy / "outbox.sqlite"
        before = path.read_bytes() if path.exists() else b""
        intact = {seq for seq, page in pages.items() if before[page[0] : page[0] + PAGE] == page[1]}
        began = time.monotonic()
        with Outbox(path, FakeClock()) as outbox:
            figures.slowest_s = max(figures.slowest_s, time.monotonic() - began)
            found = {alert["seq"] for alert in outbox.recent(10_000)}
            figures.damaged += outbox.recovered is not None
            given = outbox.commit([{"camera": "belt", "alert_id": "z", "type": "new"}])[0]
            figures.reused += given <= ROWS and kind not in ("mark", "both")
        figures.readable += len(intact)
        figures.salvaged += len(intact & found)
        figures.trials += 1
    return figures


def _fill(folder: Path) -> None:
    """Leave a database as a crash leaves it: two thirds in place, the rest in the log."""
    path = folder.with_name(f"{folder.name}-live") / "outbox.sqlite"
    with Outbox(path, FakeClock()) as outbox:
        for first in range(0, ROWS, 10):
            told = [_alert(first + n) for n in range(10)]
            outbox.commit(told)
            if first == ROWS * 2 // 3:
                outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001
        outbox.acknowledge(range(1, ROWS // 2))
        shutil.copytree(path.parent, folder)


def _alert(n: int) -> dict[str, str]:
    return {"camera": "belt", "alert_id": f"a{n}", "type": "end", "blob": "x" * 600}


def _pages(path: Path) -> dict[int, tuple[int, bytes]]:
    """Find where each row in the main file lies."""
    data, found = path.read_bytes(), {}
    for offset in range(0, len(data), PAGE):
        page = path.with_name("page")
        page.write_bytes(data[offset : offset + PAGE])
        found.update({row[0]: (offset, data[offset : offset + PAGE]) for row in carve(page, b"")})
        page.unlink()
    return found


def _damage(kind: str, folder: Path, foreign: Path, chance: random.Random) -> None:
    main, log, mark = (folder / f"outbox.sqlite{suffix}" for suffix in ("", "-wal", "-high-water"))
    match kind:
        case "bit" | "zero page" | "garbage":
            _scar(main, kind, chance)
        case "truncated":
            main.write_bytes(main.read_bytes()[: chance.randrange(main.stat().st_size)])
        case "log bit":
            _scar(log, "bit", chance)
        case "log cut":
            log.write_bytes(log.read_bytes()[: chance.randrange(log.stat().st_size)])
        case "foreign log":
            shutil.copy(foreign / "outbox.sqlite-wal", log)
        case "no log":
            log.unlink()
        case "gone":
            main.unlink()
        case "mark":
            _scar(mark, "garbage", chance)
        case "both":
            _scar(main, "garbage", chance)
            mark.unlink()


def _scar(path: Path, kind: str, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    match kind:
        case "bit":
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case "zero page":
            start = chance.randrange(max(len(data) // PAGE, 1)) * PAGE
            data[start : start + PAGE] = bytes(min(PAGE, len(data) - start))
        case _:
            start = chance.randrange(len(data))
            scar = chance.randbytes(min(chance.randint(1, 20_000), len(data) - start))
            data[start : start + len(scar)] = scar
    path.write_bytes(data)


if __name__ == "__main__":
    command(lambda trials, folder: corrupt(trials, 7, folder), TRIALS, "/dev/shm")
