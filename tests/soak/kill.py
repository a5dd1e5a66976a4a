"""kill -9 at random and at named places: `python -m tests.soak.kill [KILLS]`, 2,000 unless told."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge.clock import FakeClock
from edge.consume import Consumer
from edge.mqtt.link import WINDOW
from edge.outbox.outbox import Outbox
from tests.brokers import Mosquitto
from tests.soak.command import command

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 2000

SITES = tuple(
    f"{when} {what}"
    for what in ("insert", "commit", "reserve", "use", "publish", "puback", "acknowledge", "replay", "prune", "connect")
    for when in ("before", "after")
)

DEVICE = """
import os, random, signal, sys, time
from pathlib import Path
import edge.outbox.high_water, edge.mqtt.delivery, edge.mqtt.link, edge.outbox.outbox, edge.sinks.mqtt
from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.mqtt.link import Backoff
folder, port, sites = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
PLACES = {
    "insert": (edge.outbox.outbox, "_insert"), "commit": (edge.outbox.outbox.Outbox, "commit"),
    "reserve": (edge.outbox.high_water.HighWater, "reserve"), "use": (edge.outbox.high_water.HighWater, "use"),
    "publish": (edge.mqtt.link.Link, "publish"), "puback": (edge.mqtt.delivery.Delivery, "delivered"),
    "acknowledge": (edge.outbox.outbox.OutboxDrain, "acknowledge"),
    "replay": (edge.outbox.outbox.OutboxDrain, "replay"),
    "prune": (edge.outbox.outbox.Outbox, "prune"), "connect": (edge.sinks.mqtt, "connect"),
}
def crash(site, number):
    when, what = site.split()
    where, name = PLACES[what]
    real, calls = getattr(where, name), [0]
    def call(*arguments, **named):
        calls[0] += 1
        if when == "before" and calls[0] >= number: os.kill(os.getpid(), signal.SIGKILL)
        done = real(*arguments, **named)
        if calls[0] >= number: os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(where, name, call)
def live(seed, ledger):
    chance = random.Random(seed)
    path, clock = folder / "outbox.sqlite", SystemClock()
    quick = Backoff(first_s=0.02, most_s=0.1)
    with edge.outbox.outbox.Outbox(path, clock) as outbox, edge.sinks.mqtt.MqttSink(
        MqttConfig(port=port), device="line3", cameras=["belt"], outbox_path=path, newest=outbox.newest, clock=clock,
        backoff=quick) as sink:
        while True:
            blob = "x" * 300
            alerts = [{"camera": "belt", "alert_id": "a", "type": "end", "blob": blob}] * chance.randint(1, 5)
            seqs = outbox.commit(alerts)
            os.write(ledger, (" ".join(map(str, seqs)) + "\\n").encode())
            sink.wake()
            if chance.random() < 0.05: outbox.replay(max(seqs[0] - 5, 1), seqs[0])
            if chance.random() < 0.2: outbox.prune(-1, keep_rows=10_000)
            time.sleep(chance.expovariate(1 / 0.005))
ledger = os.open(folder / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
chance = random.Random(1)
for seed, site in enumerate(sites):
    child = os.fork()
    if not child:
        try:
            if site != "random": crash(site, 1 if "connect" in site else chance.randint(1, 8))
            live(seed, ledger)
        finally:
            os._exit(1)
    until = time.monotonic() + (0.01 + chance.expovariate(1 / 0.07) if site == "random" else 30.0)
    done = 0
    while not done and time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.002)
    if not done:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    print(site if os.WIFSIGNALED(status) and (done or site == "random") else f"missed {site} {status}", flush=True)
"""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    kills: int = 0
    committed: int = 0
    lost: int = 0
    gaps: int = 0
    twice: int = 0  # after de-duplication
    raw_duplicates: int = 0
    missed: list[str] = field(default_factory=list)
    least_hits: int = 0  # of the named site that was hit least

    @property
    def clean(self) -> bool:
        few = self.raw_duplicates <= WINDOW * self.kills
        return not (self.lost or self.gaps or self.twice or self.missed) and few


def kill(kills: int, folder: Path) -> Figures:
    """Kill a device `kills` times while it commits and delivers; half of the kills at named places."""
    sites = [*(SITES[n % len(SITES)] for n in range(kills // 2)), *["random"] * (kills - kills // 2)]
    random.Random(7).shuffle(sites)
    (folder / "device").mkdir()
    heard: list[int] = []
    with (
        Mosquitto(folder, "max_queued_messages 0") as broker,
        Consumer(port=broker.port, db=folder / "heard.sqlite", since="first") as consumer,
    ):
        consumer.connect()
        command = [sys.executable, "-c", DEVICE, str(folder / "device"), str(broker.port), ",".join(sites)]
        done: list[str] = []
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as device,
            tqdm(total=kills, disable=None) as bar,
        ):
            assert device.stdout is not None
            while device.poll() is None:
                alert = consumer.poll(0.05)
                heard += [alert.seq] if alert else []
                bar.update(0)
            done = device.stdout.read().splitlines()
        figures = _settle(folder / "device", broker.port, consumer, heard)
    figures.kills = len(done)
    figures.missed = [line for line in done if line.startswith("missed")]
    figures.least_hits = min((done.count(site) for site in SITES), default=0)
    return figures


def _settle(folder: Path, port: int, consumer: Consumer, heard: list[int]) -> Figures:
    """Let the device run once undisturbed, and compare what it promised with what was heard."""
    from edge.clock import SystemClock
    from edge.config import MqttConfig
    from edge.sinks.mqtt import MqttSink

    path = folder / "outbox.sqlite"
    promised = {int(word) for word in (folder / "ledger").read_text(encoding="ascii").split()}
    with Outbox(path, FakeClock()) as outbox:
        everything = set(range(1, outbox.last_seq + 1))
        gaps = len(outbox.missing(outbox.first_seq, outbox.last_seq))  # older ones are pruned
        sink = MqttSink(MqttConfig(port=port), device="line3", cameras=["belt"], outbox_path=path, clock=SystemClock())
        with sink:
            until = time.monotonic() + 60
            while (outbox.pending_count or everything - set(heard)) and time.monotonic() < until:
                alert = consumer.poll(0.2)
                heard += [alert.seq] if alert else []
            while (alert := consumer.poll(1.0)) is not None:
                heard.append(alert.seq)
    return Figures(
        committed=len(promised),
        lost=len(promised - set(heard)),
        gaps=gaps + len(everything - set(heard)),
        twice=len(heard) - len(set(heard)),
        raw_duplicates=consumer.duplicates,
    )


if __name__ == "__main__":
    command(kill, KILLS)
