"""A disk that fills up under the outbox: `python -m tests.soak.disk_full`; on a tmpfs of our own."""

from __future__ import annotations

import subprocess
import sys
import tempfile

DEVICE = """
import sys
from pathlib import Path
from edge.clock import FakeClock
from edge.errors import OutboxError
from edge.evidence.store import EvidenceStore
from edge.outbox.fold import squeeze
from edge.outbox.outbox import Outbox
from edge.outbox.room import Room
folder, count = Path(sys.argv[1]), int(sys.argv[2])
clock = FakeClock()
store = EvidenceStore(folder / "evidence")
(folder / "evidence/2026-01-01/00/belt").mkdir(parents=True)
(folder / "evidence/2026-01-01/00/belt/old.jpg").write_bytes(bytes(3 << 20))
def alert(n):
    return {"camera": "belt", "alert_id": f"a{n}", "type": "end", "regions": [{"label": "spot"}], "blob": "x" * 600}
with Outbox(folder / "outbox.sqlite", clock) as outbox:
    room = Room(outbox, store, folder, 4 << 20, clock)
    room.commit([alert(n) for n in range(500)])
    outbox.acknowledge(range(1, 301))
    hog = open(folder / "hog", "wb")
    try:
        while True:
            hog.write(bytes(4096)); hog.flush()
    except OSError:
        pass
    room.tend()
    print("step", room.step, flush=True)
    waiting, held, steps = [], 0, []
    for n in range(count):
        waiting = [*waiting, alert(1000 + n)]
        try:
            room.commit(waiting)
            waiting = []
        except OutboxError as error:
            held += 1
            if len(waiting) > 256:
                waiting = squeeze(waiting)
        if not steps or steps[-1] != room.step:
            steps.append(room.step)
    print("steps", *steps)
    print("held", held, "waiting", len(waiting))
    folded = room.counts["folded"]
    rows = outbox.pending(1_000_000)
    stored = sum(row.type != "summary" for row in rows)
    summed = sum(row.fields()["folded"]["end"] for row in rows if row.type == "summary")
    print("stored", stored, "summed", summed, "folded", folded, "bytes", outbox.size_bytes)
    assert stored + summed + len(waiting) == 200 + count, (stored, summed, waiting)
    (folder / "hog").unlink(); hog.close()
    clock.advance(60)
    room.tend()
    room.commit([alert(10**6)])
    print("afterwards", room.step, (folder / "ballast").stat().st_size)
"""


def run(alerts: int, *, megabytes: int = 16) -> dict[str, list[str]]:
    """Fill a small file system, commit `alerts` more, free it again; give what was said."""
    with tempfile.TemporaryDirectory() as folder:
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {folder}"
        script = f'{mount} && exec {sys.executable} -c "$0" {folder} {alerts}'
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, DEVICE]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}


def main() -> None:
    for count in (2000, 20_000):
        print(f"{count} alerts on a full file system of 16 MB: {run(count)}")


if __name__ == "__main__":
    main()
