"""A broker is killed again and again: `python -m tests.soak.broker_kill [KILLS]`, 200 unless told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.consume import Consumer
from edge.mqtt.link import Backoff
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
from tests.brokers import Mosquitto
from tests.soak.command import command

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 200
QUICK = Backoff(first_s=0.05, most_s=0.2)


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    kills: int = 0
    committed: int = 0
    heard: int = 0
    twice: int = 0
    lost: int = 0  # as the consumer counts
    raw_duplicates: int = 0

    @property
    def clean(self) -> bool:
        return self.heard == self.committed > 0 and not self.twice and not self.lost


def kill(kills: int, folder: Path, seed: int = 7) -> Figures:
    """Kill the broker while a device talks through it to the reference consumer."""
    chance, clock, figures = random.Random(seed), SystemClock(), Figures(kills=kills)
    path, over, heard = folder / "outbox.sqlite", threading.Event(), Counter[int]()
    persistent = ("persistence true", f"persistence_location {folder}/")
    with Mosquitto(folder, *persistent) as broker:

        def device() -> None:
            with (
                Outbox(path, clock) as outbox,
                MqttSink(
                    MqttConfig(port=broker.port),
                    device="line3",
                    cameras=["belt"],
                    outbox_path=path,
                    newest=outbox.newest,
                    clock=clock,
                    backoff=QUICK,
                ) as sink,
            ):
                while not over.is_set() or outbox.pending_count:
                    if not over.is_set():
                        outbox.commit([{"camera": "belt", "alert_id": "a", "type": "end"}] * chance.randint(1, 5))
                        sink.wake()
                        figures.committed = outbox.last_seq
                    time.sleep(0.02)
                told.wait(120)

        told = threading.Event()
        thread = threading.Thread(target=device, name="device")
        thread.start()
        consumer = Consumer(port=broker.port, db=folder / "heard.sqlite", since="first", grace_s=0.5, backoff=QUICK)
        with consumer:
            for _ in tqdm(range(kills), disable=None, unit="kill"):
                _hear(consumer, heard, chance.expovariate(1 / 0.3) + 0.05)
                broker.kill()
                _hear(consumer, heard, chance.expovariate(1 / 0.05))
                broker.start()
            over.set()
            until = time.monotonic() + 120
            while (thread.is_alive() and len(heard) < figures.committed) and time.monotonic() < until:
                _hear(consumer, heard, 0.2)
            _hear(consumer, heard, 1.0)
            figures.lost, figures.raw_duplicates = consumer.lost, consumer.duplicates
        told.set()
        thread.join(30)
    figures.heard, figures.twice = len(heard), sum(heard.values()) - len(heard)
    return figures


def _hear(consumer: Consumer, heard: Counter[int], for_s: float) -> None:
    until = time.monotonic() + for_s
    while (left_s := until - time.monotonic()) > 0:
        alert = consumer.poll(left_s)
        if alert is not None:
            heard[alert.seq] += 1


if __name__ == "__main__":
    command(kill, KILLS)
