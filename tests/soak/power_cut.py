"""Power cuts over the real outbox and drain: `python -m tests.soak.power_cut [CUTS]`, 20,000 unless told."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge.clock import FakeClock
from edge.outbox.outbox import Outbox
from tests.soak.disk import Disk
from tests.soak.trace import record

if TYPE_CHECKING:
    from tests.soak.trace import Call

CUTS = 20_000
COMMITS = 300
RECORDINGS = 10
"""Runs of the device, each with its share of the cuts."""

DEVICE = """
import os, random, sys
from pathlib import Path
from edge.clock import SystemClock
from edge.outbox.outbox import Outbox, OutboxDrain
folder, commits, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
ledger = os.open(folder / "ledger", os.O_WRONLY | os.O_CREAT)
def alert(n):
    kind = chance.choice(["new", "update", "end"])
    return {"camera": "belt", "alert_id": f"a{n % 50}", "type": kind, "blob": "x" * chance.randint(100, 2000)}
with Outbox(folder / "outbox.sqlite", SystemClock()) as outbox, OutboxDrain(folder / "outbox.sqlite") as drain:
    outbox._db.execute("PRAGMA wal_autocheckpoint = 20")  # so that cuts fall into checkpoints, too
    for n in range(commits):
        seqs = outbox.commit([alert(n) for _ in range(chance.randint(1, 5))])
        os.write(ledger, f"committed {seqs[-1]}\\n".encode())
        if n % 3 == 0:
            drain.acknowledge([row.seq for row in drain.pending(10)])
        if n % 11 == 0:
            drain.replay(max(seqs[-1] - 20, 1), seqs[-1])
        if n % 7 == 0:
            outbox.prune(-1, keep_rows=100)
"""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    cuts: int = 0
    lost: int = 0  # cuts after which a committed alert was missing
    corrupt: int = 0  # after which the database had to be salvaged
    reused: int = 0  # after which a committed number was given again
    other_epoch: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.corrupt or self.reused or self.other_epoch)


def cut(cuts: int, seed: int, folder: Path) -> Figures:
    """Record the device once, cut its power `cuts` times, and start it again each time."""
    (folder / "device").mkdir()
    calls = record(DEVICE, folder / "device", str(COMMITS), str(seed))
    chance = random.Random(seed)
    places = sorted(chance.randrange(_first_commit(calls), len(calls)) for _ in range(cuts))
    disk, figures = Disk(), Figures()
    epoch, promised = "", 0
    at = 0
    for place in tqdm(places, disable=None, unit="cut"):
        for call in calls[at:place]:
            if Path(call.path).name == "ledger":
                promised = int(call.data.split()[1]) if call.data.startswith(b"committed") else promised
            disk.take(call)
        at = max(place, at)
        epoch = _start_again(disk, promised, epoch, folder / "after", figures, chance)
    return figures


def _first_commit(calls: list[Call]) -> int:
    return next(n for n, call in enumerate(calls) if call.data.startswith(b"committed"))


def _start_again(disk: Disk, promised: int, epoch: str, folder: Path, figures: Figures, chance: random.Random) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in disk.after_power_cut(chance).items():
        (folder / name).write_bytes(data)
    figures.cuts += 1
    with Outbox(folder / "outbox.sqlite", FakeClock()) as outbox:
        figures.corrupt += outbox.recovered is not None
        figures.lost += bool(outbox.missing(max(promised - 99, 1), promised))  # the newest hundred are never pruned
        figures.reused += outbox.commit([{"camera": "belt", "alert_id": "z", "type": "new"}])[0] <= promised
        figures.other_epoch += epoch not in ("", outbox.epoch)
        return epoch or outbox.epoch


def main() -> None:
    cuts = int(sys.argv[1]) if len(sys.argv) > 1 else CUTS
    began = time.monotonic()
    clean = True
    for seed in range(RECORDINGS):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            figures = cut(cuts // RECORDINGS, seed, Path(folder))
        clean &= figures.clean
        print(figures, f"{time.monotonic() - began:.0f} s", flush=True)
    sys.exit(not clean)


if __name__ == "__main__":
    main()
