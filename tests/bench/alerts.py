"""What an alert costs from commit to consumer: `python -m tests.bench.alerts`; real mosquitto on the loopback."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge.clock import SystemClock
from edge.daemon import LINGER_S
from edge.mqtt.broker import Broker
from edge.mqtt.link import Link, connect
from edge.table import table
from tests.brokers import Mosquitto
from tests.soak.trace import CALLS, strace

SUSTAINED, BURST = 30_000, 20
SINGLE = {0.001: (1000, 3), 0.01: (1000, 5), 0.1: (100, 3), 1.0: (30, 1)}
"""Single alerts by the pause after each: how many, in how many runs.

The longer the pause, the colder the caches of a processor that others share; what these leave differs by run.
"""
TYPICAL_S = 0.01

DEVICE = """
import json, resource, sys, time
from pathlib import Path
from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.daemon import LINGER_S
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
folder, port, count, batch, pause_s = Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:6])
path, clock = folder / "outbox.sqlite", SystemClock()
told = {"camera": "belt", "alert_id": "a", "type": "end", "blob": "x" * 550}
commits, done = [], []
with Outbox(path, clock) as outbox, MqttSink(
    MqttConfig(port=port), device="line3", cameras=["belt"], outbox_path=path, newest=outbox.newest, clock=clock
) as sink:
    while not sink.status()["connected"]: time.sleep(0.01)
    sys.stdin.readline()
    began, cpu = time.monotonic(), time.process_time()
    waiting = []
    for left in range(int(count // batch) - 1, -1, -1):
        waiting += [told] * int(batch)
        at = time.monotonic()
        if batch > 1 or not left or not done or at >= done[-1] + LINGER_S:  # as the daemon does
            outbox.commit(waiting)
            done += [time.monotonic()] * len(waiting)
            commits.append(done[-1] - at)
            waiting = []
            sink.wake()
        if pause_s: time.sleep(pause_s)
        while batch > 1 and outbox.pending_count > 2000: time.sleep(0.01)
    while outbox.pending_count: time.sleep(0.1)
    cpu = time.process_time() - cpu
    commits.sort()
    print(json.dumps({"cpu_s": cpu, "wall_s": time.monotonic() - began, "commit_p50_s": commits[len(commits) // 2],
                      "done_s": done}))
"""

BARE = """
import json, selectors, socket, sqlite3, sys, time
from pathlib import Path
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
folder, port, count, _, pause_s = Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:6])
told = {"camera": "belt", "alert_id": "a", "type": "end", "blob": "x" * 550, "epoch": "0" * 16}
db = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
db.executescript("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                 "CREATE TABLE alerts (seq INTEGER PRIMARY KEY, payload TEXT)")
answers, commits, done = [], [], []
client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
client.on_publish = lambda *answer: answers.append(answer)
client.connect("127.0.0.1", port)
while not client.is_connected(): client.loop(0.1)
client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
selector = selectors.DefaultSelector()
selector.register(client.socket(), selectors.EVENT_READ)
sys.stdin.readline()
began, cpu = time.monotonic(), time.process_time()
for seq in range(1, int(count) + 1):
    at = time.monotonic()
    text = json.dumps({**told, "seq": seq})
    db.execute("INSERT INTO alerts (payload) VALUES (?)", (text,))
    done.append(time.monotonic())
    commits.append(done[-1] - at)
    client.publish("edgeloupe/line3/belt/alert", text, 1)
    while len(answers) < seq:
        selector.select(1)
        client.loop_read()
    time.sleep(pause_s)
cpu = time.process_time() - cpu
commits.sort()
print(json.dumps({"cpu_s": cpu, "wall_s": time.monotonic() - began, "commit_p50_s": commits[len(commits) // 2],
                  "done_s": done}))
"""
"""The same libraries without us: one row, one flush, one message and its answer, in one thread."""

WRITER = """
import sys
from pathlib import Path
from edge.clock import SystemClock
from edge.outbox.outbox import Outbox, OutboxDrain
folder, count, batch = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
told = {"camera": "belt", "alert_id": "a", "type": "end", "blob": "x" * 630}
with Outbox(folder / "outbox.sqlite", SystemClock()) as outbox, OutboxDrain(folder / "outbox.sqlite") as drain:
    for n in range(count // batch):
        outbox.commit([told] * batch)
        drain.acknowledge([row.seq for row in drain.pending(20)])
"""


def written(folder: Path, count: int, batch: int) -> tuple[float, float]:
    """Give flushes and bytes written per alert of 700 bytes, with its acknowledgement and checkpoints, as counted."""
    place = folder / f"written-{batch}"
    place.mkdir()
    log = folder / "strace"
    options = ["-y", "-e", f"trace={CALLS}"]
    done = strace(WRITER, str(place), str(count), str(batch), options=options, log=log)
    assert done.returncode == 0, done.stderr
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if f"<{place}" in line]
    syncs = sum("sync(" in line for line in lines)
    found = [re.search(r" p?write(?:64)?\(.* = (\d+)$", line) for line in lines]
    return syncs / count, sum(int(match[1]) for match in found if match) / count


def deliver(folder: Path, count: int, batch: int, pause_s: float, program: str = DEVICE) -> dict[str, float]:
    """Commit and deliver alerts; give the device's CPU, and latencies where alerts come one by one."""
    folder.mkdir()
    with Mosquitto(folder, "max_queued_messages 0", "max_inflight_messages 0") as broker:
        where = Broker(host="127.0.0.1", port=broker.port)
        with connect(where, client_id="ear", clock=SystemClock(), session_s=0) as link:
            link.subscribe("edgeloupe/+/+/alert")
            command = [
                sys.executable,
                "-c",
                program,
                str(folder),
                str(broker.port),
                str(count),
                str(batch),
                str(pause_s),
            ]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as device:
                assert device.stdin is not None
                assert device.stdout is not None
                device.stdin.write("go\n")
                device.stdin.flush()
                heard = _hear(link, count)
                told = json.loads(device.stdout.read())
    done_s = told.pop("done_s")
    ages = sorted(at - done_s[seq - 1] for seq, at in heard.items())
    return {**told, "p50_s": ages[len(ages) // 2], "p99_s": ages[len(ages) * 99 // 100]}


def _hear(link: Link, count: int) -> dict[int, float]:
    """Give when each alert came first, by its number."""
    heard: dict[int, float] = {}
    until = time.monotonic() + 300
    while len(heard) < count and time.monotonic() < until:
        link.pump(1.0)
        now = time.monotonic()
        while link.inbox:
            heard.setdefault(json.loads(link.inbox.popleft().payload)["seq"], now)
    return heard


def _ms(seconds: list[float], count: int = 1) -> str:
    """Give the median of some runs, and between which they lie."""
    each = [second / count * 1e3 for second in seconds]
    span = f" ({min(each):.2f} to {max(each):.2f})" if len(each) > 1 else ""
    return f"{statistics.median(each):.2f} ms{span}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single, burst = written(folder, 2000, 1), written(folder, 4000, BURST)
        ones: dict[float, list[dict[str, float]]] = {pause_s: [] for pause_s in SINGLE}
        bare: dict[float, list[dict[str, float]]] = {pause_s: [] for pause_s in SINGLE if pause_s > LINGER_S}
        for pause_s, (count, runs) in SINGLE.items():
            for run in range(runs):
                ones[pause_s].append(deliver(folder / f"{pause_s}-{run}", count, 1, pause_s))
                if pause_s in bare:
                    bare[pause_s].append(deliver(folder / f"bare-{pause_s}-{run}", count, 1, pause_s, BARE))
        many = deliver(folder / "many", SUSTAINED, BURST, 0.0)
    typical = {name: [run[name] for run in ones[TYPICAL_S]] for name in ones[TYPICAL_S][0]}
    rows = [
        ("flushes per single alert", f"{single[0]:.3f}", "<= 1.05"),
        (f"flushes per alert in bursts of {BURST}", f"{burst[0]:.3f}", "<= 0.1"),
        ("KiB written per single alert", f"{single[1] / 1024:.2f}", "<= 10"),
        (f"KiB written per alert in bursts of {BURST}", f"{burst[1] / 1024:.2f}", "<= 10"),
        ("durable commit, p50", _ms(typical["commit_p50_s"]), "counted apart"),
        ("commit done to received, p50", _ms(typical["p50_s"]), "<= 1 ms"),
        ("commit done to received, p99", _ms(typical["p99_s"]), "<= 5 ms"),
        ("device CPU per alert in bursts", _ms([many["cpu_s"]], SUSTAINED), "<= 1 ms"),
    ]
    for pause_s, (count, _) in SINGLE.items():
        often = _ms([run["cpu_s"] for run in ones[pause_s]], count)
        rows.append((f"device CPU per alert, one each {pause_s * 1e3:.0f} ms", often, "<= 1 ms"))
        if pause_s in bare:
            alone = _ms([run["cpu_s"] for run in bare[pause_s]], count)
            rows.append(("of these, SQLite's and paho's alone", alone, ""))
    rows.append(("sustained QoS 1", f"{SUSTAINED / many['wall_s']:.0f} alerts/s", ">= 3000"))
    print(table(["what", "measured", "limit"], rows))


if __name__ == "__main__":
    main()
