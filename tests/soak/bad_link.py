"""A link that resets, delays and swallows: `python -m tests.soak.bad_link [ALERTS]`, 10,000 unless told."""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tqdm import tqdm

from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.consume import Consumer
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
from tests.brokers import Mosquitto

ALERTS = 10_000
LATENCY_S = 1.0
"""At most, each way: two seconds for there and back."""
RESET_SHARE = 0.3
"""Of connections, so many are reset within seconds."""
BLACK_HOLE_S = 90.0
"""For so long, every few minutes, nothing passes and nobody is told."""


@dataclass(slots=True)
class _Pipe:
    """One direction of a connection: bytes on their way, and when they arrive."""

    source: socket.socket
    target: socket.socket
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)


class BadLink(threading.Thread):
    """A proxy on the loopback that treats connections badly; `connects` are the times at which they were made."""

    def __init__(self, port: int, chance: random.Random, *, latency_s: float, black_hole_s: float) -> None:
        super().__init__(name="bad link", daemon=True)
        self._to = port
        self._chance = chance
        self._latency_s = latency_s
        self._black_hole_s = black_hole_s
        self._ear = socket.create_server(("127.0.0.1", 0))
        self._ear.settimeout(0.005)
        self.port: int = self._ear.getsockname()[1]
        self.connects: list[float] = []
        self.resets = 0
        self.black_holes = 0
        self._over = threading.Event()
        self._pipes: list[_Pipe] = []
        self._reset_at: dict[socket.socket, float] = {}
        self._hole_at = time.monotonic() + 20.0
        self._hole_until = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.join(5)
        self._ear.close()
        for pipe in self._pipes:
            pipe.source.close()

    def run(self) -> None:
        while not self._over.is_set():
            self._accept()
            now = time.monotonic()
            if self._black_hole_s and now >= self._hole_at:
                self.black_holes += 1
                self._hole_until = now + self._black_hole_s
                self._hole_at = self._hole_until + self._chance.uniform(120, 240)
            for pipe in list(self._pipes):
                if now >= self._hole_until and not self._carry(pipe, now):
                    self._drop(pipe.source)

    def _accept(self) -> None:
        try:
            near, _ = self._ear.accept()
        except TimeoutError:
            return
        self.connects.append(time.monotonic())
        try:
            far = socket.create_connection(("127.0.0.1", self._to), 1.0)
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.setblocking(False)
        if self._chance.random() < RESET_SHARE:
            self._reset_at[near] = time.monotonic() + self._chance.uniform(0.0, 15.0)
        self._pipes += [_Pipe(near, far), _Pipe(far, near)]

    def _carry(self, pipe: _Pipe, now: float) -> bool:
        """Move what is due; say whether the connection still stands."""
        if self._reset_at.get(pipe.source, now + 1) <= now:
            self.resets += 1
            return False
        try:
            data = pipe.source.recv(65_536)
            if not data:
                return False
            pipe.under_way.append((now + self._latency_s * self._chance.uniform(0.5, 1.0), data))
        except BlockingIOError:
            pass
        except OSError:
            return False
        while pipe.under_way and pipe.under_way[0][0] <= now:
            data = pipe.under_way[0][1]
            try:
                sent = pipe.target.send(data)
            except BlockingIOError:
                break
            except OSError:
                return False
            pipe.under_way[0] = (0.0, data[sent:])
            if sent == len(data):
                pipe.under_way.popleft()
        return True

    def _drop(self, end: socket.socket) -> None:
        """Reset both ends, as a router that forgot the connection does."""
        ends = {end, *(pipe.target for pipe in self._pipes if pipe.source is end)}
        for lost in (end_ for end_ in ends if end_.fileno() >= 0):
            lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            lost.close()
            self._reset_at.pop(lost, None)
        self._pipes = [pipe for pipe in self._pipes if pipe.source not in ends]


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of it."""

    alerts: int = 0
    heard: int = 0
    twice: int = 0
    lost: int = 0
    raw_duplicates: int = 0
    resets: int = 0
    black_holes: int = 0
    connects: int = 0
    most_connects_in_10_s: int = 0
    wall_s: float = 0.0

    @property
    def clean(self) -> bool:
        return self.heard == self.alerts and not self.twice and not self.lost and self.most_connects_in_10_s <= 10


def drive(alerts: int, folder: Path, *, latency_s: float, black_hole_s: float, limit_s: float) -> Figures:
    """Deliver `alerts` through the bad link to a consumer on a good one."""
    clock, heard, began = SystemClock(), Counter[int](), time.monotonic()
    path = folder / "outbox.sqlite"
    with (
        Mosquitto(folder, "max_queued_messages 0") as broker,
        BadLink(broker.port, random.Random(7), latency_s=latency_s, black_hole_s=black_hole_s) as link,
        Outbox(path, clock) as outbox,
        Consumer(port=broker.port, db=folder / "heard.sqlite", since="first") as consumer,
    ):
        for _ in range(alerts // 100):
            outbox.commit([{"camera": "belt", "alert_id": "a", "type": "end", "blob": "x" * 300}] * 100)
        with (
            MqttSink(MqttConfig(port=link.port), device="line3", cameras=["belt"], outbox_path=path, clock=clock),
            tqdm(total=alerts, disable=None) as bar,
        ):
            while len(heard) < alerts and time.monotonic() - began < limit_s:
                alert = consumer.poll(1.0)
                if alert is not None:
                    heard[alert.seq] += 1
                    bar.update()
        return Figures(
            alerts=alerts,
            heard=len(heard),
            twice=heard.total() - len(heard),
            lost=consumer.lost,
            raw_duplicates=consumer.duplicates,
            resets=link.resets,
            black_holes=link.black_holes,
            connects=len(link.connects),
            most_connects_in_10_s=_most_within(link.connects, 10.0),
            wall_s=time.monotonic() - began,
        )


def _most_within(times: list[float], window_s: float) -> int:
    return max((sum(at <= later < at + window_s for later in times) for at in times), default=0)


def main() -> None:
    alerts = int(sys.argv[1]) if len(sys.argv) > 1 else ALERTS
    with tempfile.TemporaryDirectory() as folder:
        figures = drive(alerts, Path(folder), latency_s=LATENCY_S, black_hole_s=BLACK_HOLE_S, limit_s=7200)
    print(figures)
    sys.exit(not figures.clean)


if __name__ == "__main__":
    main()
