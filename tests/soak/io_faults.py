"""Each write, flush, rename, open and so on fails once: `python -m tests.soak.io_faults [SITES]`, all unless told."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from edge.clock import FakeClock
from edge.outbox.outbox import Outbox
from tests.soak.trace import CALLS, strace

ERRORS = {"write": "ENOSPC", "pwrite64": "ENOSPC", "fallocate": "ENOSPC", "ftruncate": "EIO"}
"""What a call fails with; EIO unless named here."""

DEVICE = """
import random, sys
from pathlib import Path
import numpy as np
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.evidence.store import EvidenceStore
from edge.outbox.outbox import Outbox, OutboxDrain
from edge.outbox.room import Room
folder, damage = Path(sys.argv[1]), sys.argv[2] == "damage"
path, clock, picture = folder / "outbox.sqlite", SystemClock(), np.zeros((8, 8, 3), np.uint8)
said = open(sys.argv[3], "w")
def say(*words):
    print(*words, file=said, flush=True)
def life(n):
    with Outbox(path, clock) as outbox, OutboxDrain(path) as drain:
        if outbox.recovered: say("salvaged")
        room = Room(outbox, store, folder, 1 << 20, clock)
        for step in range(6):
            alert = {"camera": "belt", "alert_id": f"{n}-{step}", "type": "end", "blob": "x" * 900}
            for _ in range(5):
                try:
                    room.commit([alert])
                    say("committed", outbox.last_seq, alert["alert_id"])
                    break
                except EdgeloupeError as error:
                    say("surfaced", error)
            say("kept" if store.save(picture, 1.8e9, "belt", f"{n}-{step}") else "no picture")
            room.tend()
        try:
            drain.acknowledge([row.seq for row in drain.pending(3)])
            drain.replay(1, 1)
            outbox.prune(-1, keep_rows=2)
        except EdgeloupeError as error:
            say("surfaced", error)
store = EvidenceStore(folder / "evidence")
for n in range(3):
    for _ in range(5):
        try:
            life(n)
            break
        except EdgeloupeError as error:
            say("surfaced", error)
    if damage and n == 0:
        while True:
            try:
                with path.open("r+b") as file:
                    file.seek(3000); file.write(b"damage" * 100)
                break
            except OSError:
                pass
say("done")
"""


def sites(folder: Path, *, damage: bool) -> list[tuple[str, int]]:
    """Run without faults, and give every call that could fail, as its name and its number."""
    place = folder / "count"
    place.mkdir()
    log = folder / "count.strace"
    options = ["-y", "-e", f"trace={CALLS}"]
    done = strace(DEVICE, str(place), _word(damage), str(folder / "said"), options=options, log=log)
    assert done.returncode == 0, done.stderr
    found, counts = [], Counter[str]()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        name = line.split()[1].partition("(")[0]
        counts[name] += 1
        if f"{place}/" in line or f"{place}>" in line:
            found.append((name, counts[name]))
    return found


def fail(folder: Path, call: str, number: int, *, damage: bool) -> str | None:
    """Run with one failing call; say what was wrong about it, None when it was dealt with."""
    place = folder / f"{call}-{number}"
    place.mkdir()
    inject = f"inject={call}:error={ERRORS.get(call, 'EIO')}:when={number}"
    options = ["-e", f"trace={CALLS}", "-e", inject]
    done = strace(DEVICE, str(place), _word(damage), str(folder / "said"), options=options, log=folder / "log")
    said = (folder / "said").read_text(encoding="utf-8")
    if done.returncode or not said.endswith("done\n"):
        return f"died: {done.stderr[-500:]}"
    told = [line.split() for line in said.splitlines()]
    committed = [(int(words[1]), words[2]) for words in told if words[0] == "committed"]
    if len({seq for seq, _ in committed}) != len(committed):
        return "a number was given twice"
    with Outbox(place / "outbox.sqlite", FakeClock()) as outbox:
        kept = {alert["alert_id"] for alert in outbox.recent(1000)}
        if not damage and "salvaged" in said:
            return "a sound database was taken for a damaged one"
        lost = {name for seq, name in committed if seq > outbox.last_seq - 2} - kept
        return f"lost {lost}" if lost else None


def _word(damage: bool) -> str:  # noqa: FBT001 - one word for another
    return "damage" if damage else "sound"


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 30
    began, wrong, count = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        for damage in (False, True):
            folder = Path(name) / _word(damage)
            folder.mkdir()
            found = sites(folder, damage=damage)
            chosen = random.Random(7).sample(found, min(most, len(found)))
            for call, number in tqdm(chosen, disable=None, unit="fault"):
                fault = fail(folder, call, number, damage=damage)
                count += 1
                if fault:
                    wrong += 1
                    print(f"{_word(damage)}: {call} {number}: {fault}", flush=True)
    print(f"{count} calls failed once, {wrong} were not dealt with, {time.monotonic() - began:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
