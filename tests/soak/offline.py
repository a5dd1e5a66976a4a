"""A month without a broker: `python -m tests.soak.offline [ALERTS]`, 1,000,000 unless told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from edge.clock import SystemClock
from edge.mqtt.broker import Broker
from edge.mqtt.link import Link, connect
from tests.brokers import Mosquitto

ALERTS = 1_000_000
FRESH_EVERY_S = 1.0

DEVICE = """
import sys, time
from pathlib import Path
from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.mqtt.link import Backoff
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
folder, port, count, every_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
path, clock = folder / "outbox.sqlite", SystemClock()
def alert(n):
    return {"camera": "belt", "alert_id": f"a{n}", "type": "end", "at": time.monotonic(), "blob": "x" * 400}
with Outbox(path, clock) as outbox, MqttSink(
    MqttConfig(port=port), device="line3", cameras=["belt"], outbox_path=path, newest=outbox.newest, clock=clock,
    backoff=Backoff(first_s=1.0, most_s=2.0)) as sink:
    for first in range(0, count, 500):
        outbox.commit([alert(n) for n in range(first, min(first + 500, count))])
        if first == 50_000: print("warm", flush=True)
    print("offline", flush=True)
    sys.stdin.readline()
    while outbox.pending_count:
        time.sleep(every_s)
        outbox.commit([{**alert(outbox.last_seq + 1), "fresh": True}])
        sink.wake()
    print("drained", flush=True)
    sys.stdin.readline()
"""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    alerts: int = 0
    heard: int = 0
    disorder: int = 0  # alerts of the backlog that came before an older one
    growth_bytes: int = 0  # of the device's memory, from 50,000 alerts to the end
    first_fresh_s: float = -1.0  # from the broker's return until an alert committed afterwards came
    fresh_s: list[float] = field(default_factory=list)  # age of fresh alerts during the drain
    drain_s: float = 0.0

    @property
    def clean(self) -> bool:
        prompt = 0 <= self.first_fresh_s < 5 and max(self.fresh_s, default=9) < 5
        return self.heard >= self.alerts and not self.disorder and self.growth_bytes < 5 << 20 and prompt

    def told(self) -> str:
        ages = sorted(self.fresh_s)
        return (
            f"{self.heard} of {self.alerts} heard, {self.disorder} out of order, memory grew by"
            f" {self.growth_bytes / 1048576:.1f} MiB; first fresh alert {self.first_fresh_s:.2f} s after the broker's"
            f" return, fresh ones during the drain p50 {ages[len(ages) // 2]:.3f} s, worst {ages[-1]:.3f} s;"
            f" drained in {self.drain_s:.0f} s"
        )


def away(alerts: int, folder: Path) -> Figures:
    """Commit `alerts` without a broker, start it, and hear them all."""
    figures = Figures(alerts=alerts)
    with Mosquitto(folder, "max_queued_messages 0", "max_inflight_messages 0") as broker:
        broker.stop()
        command = [sys.executable, "-c", DEVICE, str(folder), str(broker.port), str(alerts), str(FRESH_EVERY_S)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as device:
            assert device.stdin is not None
            assert device.stdout is not None
            warm = 0
            for line in device.stdout:
                warm = warm or _resident_bytes(device.pid)
                if line == "offline\n":
                    break
            broker.start()
            back_at = time.monotonic()
            where = Broker(host="127.0.0.1", port=broker.port)
            with connect(where, client_id="ear", clock=SystemClock(), session_s=0) as link:
                link.subscribe("edgeloupe/+/+/alert")
                print("drain", file=device.stdin, flush=True)
                most = _hear(link, figures, back_at, device.pid)
            figures.growth_bytes = max(most, _resident_bytes(device.pid)) - warm
            figures.drain_s = time.monotonic() - back_at
            device.kill()
    return figures


def _hear(link: Link, figures: Figures, back_at: float, pid: int) -> int:
    """Hear everything; give the most memory the device held meanwhile."""
    seen = bytearray(figures.alerts + 1)
    newest, most, quiet_at = 0, 0, time.monotonic() + 120
    live = figures.alerts - 20 if figures.alerts > 1000 else figures.alerts  # the newest go first
    with tqdm(total=figures.alerts, disable=None) as bar:
        while figures.heard < figures.alerts and time.monotonic() < quiet_at:
            link.pump(1.0)
            most = max(most, _resident_bytes(pid))
            while link.inbox:
                told = json.loads(link.inbox.popleft().payload)
                seq, now = told["seq"], time.monotonic()
                quiet_at = now + 120
                if told.get("fresh"):
                    figures.fresh_s.append(now - told["at"])
                    if figures.first_fresh_s < 0:
                        figures.first_fresh_s = now - back_at
                    continue
                if seq <= live:
                    figures.disorder += not seen[seq] and seq < newest
                    newest = max(newest, seq)
                figures.heard += not seen[seq]
                seen[seq] = 1
                bar.update()
    return most


def _resident_bytes(pid: int) -> int:
    """Count what is the process's own: pages of mapped files are the system's to take back."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    alerts = int(sys.argv[1]) if len(sys.argv) > 1 else ALERTS
    with tempfile.TemporaryDirectory() as folder:
        figures = away(alerts, Path(folder))
    print(figures.told())
    sys.exit(not figures.clean)


if __name__ == "__main__":
    os.environ.setdefault("EDGELOUPE_LOG", "ERROR")
    main()
