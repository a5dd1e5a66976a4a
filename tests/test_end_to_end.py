"""Committed is delivered, exactly once, whatever happens to the broker and the daemon in between."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge.consume import Consumer
from edge.outbox.outbox import OutboxReader
from tests.appliance import Appliance, draw_parts
from tests.brokers import Mosquitto

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = 300
KILLS = 5
BROKER_AWAY_S = 60.0


class Listener(threading.Thread):
    """Somebody who wants every alert, on the reference consumer, from before the first to after the last."""

    def __init__(self, port: int, db: Path) -> None:
        super().__init__(name="listener", daemon=True)
        self._port = port
        self._db = db
        self._over = threading.Event()
        self.heard: list[tuple[str, int]] = []
        self.lost = 0

    def run(self) -> None:
        with Consumer(port=self._port, db=self._db, since="first") as consumer:
            while not self._over.is_set():
                alert = consumer.poll(0.2)
                if alert is not None:
                    self.heard.append((alert.epoch, alert.seq))
            consumer.settle()
            self.lost = consumer.lost

    def end(self) -> None:
        self._over.set()
        self.join(30)


@pytest.mark.timeout(600)
def test_every_committed_alert_of_300_pictures_arrives_once_through_kills_and_an_outage(
    tmp_path: Path, scripted_bundle: Path
) -> None:
    chance = random.Random(7)
    parts = draw_parts(tmp_path / "parts", PICTURES)
    with Mosquitto(tmp_path) as broker:
        listener = Listener(broker.port, tmp_path / "heard.sqlite")
        listener.start()
        appliance = Appliance(
            tmp_path, scripted_bundle, f"file:{parts}", alert_per="part", fps=12, mqtt={"port": broker.port}
        )
        try:
            appliance.wait_for(lambda: len(listener.heard) > 20)
            broker.stop()
            back_at = time.monotonic() + BROKER_AWAY_S
            for _ in range(KILLS):
                time.sleep(chance.uniform(2, 8))
                appliance.kill_and_restart()
            time.sleep(max(back_at - time.monotonic(), 0))
            broker.start()
            appliance.wait_for(lambda: appliance.camera().get("state") == "finished", 120)
            appliance.wait_for(lambda: appliance.health()["mqtt"]["pending"] == 0)
            outbox = OutboxReader(tmp_path / "state" / "outbox.sqlite")
            committed = {(str(outbox.epoch), seq) for seq in range(1, outbox.last_seq + 1)}
            appliance.wait_for(lambda: committed <= set(listener.heard))
            assert appliance.stop() == 0
        finally:
            appliance.process.kill()
            appliance.process.wait()
            listener.end()
    assert len(committed) >= 2 * PICTURES // 3
    assert sorted(listener.heard) == sorted(committed)
    assert listener.lost == 0
