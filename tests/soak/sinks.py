"""Sinks killed at any moment, against real peers that fail too: `python -m tests.soak.sinks [KILLS]`, 100 by default.

Each round runs all sinks in a process of their own, commits alerts while it starts and again when it runs, and kills it
with -9 in the middle of delivering those; web and mail servers refuse and hang up at random, and NATS is killed every
tenth round. In the end every peer must have every alert, in order once repeats are dropped. A Modbus and an OPC UA
client fetch alerts as a PLC and a SCADA would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import Client, ua
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from tqdm import tqdm

from edge.outbox.follow import Places
from edge.sinks import modbus
from edge.sinks.opcua import NAMESPACE
from edge.table import table
from tests.brokers import Ear, Mosquitto, free_port, until
from tests.edge.outputs.test_sparkplug import parsed
from tests.peers import HttpServer, Inbox, NatsServer, Rsyslog, SmtpServer, Sshd, Storage
from tests.sites import Plant, alerts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SURE = ("webhook", "email", "file", "nats", "s3", "sftp", "modbus", "opcua")
"""Peers that acknowledge, or that fetch; the others are only written to, and their losses are told."""
PRELOAD = [
    f"edge.sinks.{kind}"
    for kind in ("webhook", "email", "syslog", "file", "modbus", "opcua", "sparkplug", "nats", "s3", "sftp")
]
END_S = 120.0
BETWEEN_S = (0.2, 2.5)  # a start takes the OPC UA server a second


def serve(folder: Path, settings: dict[str, dict[str, Any]], mqtt_port: int) -> None:
    """Run all sinks until killed; the outbox is another process's."""
    logging.disable(logging.CRITICAL)
    plant = Plant(folder, mqtt_port=mqtt_port, commits=False)
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(plant.sink(one, name)) for name, one in settings.items()]
        while True:
            time.sleep(0.02)
            for sink in sinks:
                sink.wake()


class Fetcher:
    """A client in a thread that goes on fetching whatever happens to the server."""

    def __init__(self, step: Callable[[Fetcher], None]) -> None:
        self.taken: list[int] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(step,))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self, step: Callable[[Fetcher], None]) -> None:
        while not self._stopping.wait(0.05):
            with contextlib.suppress(OSError, TimeoutError, ModbusException, ua.UaError, AttributeError):
                step(self)


def plc(port: int) -> Callable[[Fetcher], None]:
    """Take the alert in the registers, and acknowledge it."""

    def step(fetcher: Fetcher) -> None:
        with ModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0) as client:
            while client.connected:
                high, low = client.read_input_registers(modbus.ALERT_SEQ, count=2, device_id=1).registers
                number = high << 16 | low
                if number and fetcher.taken[-1:] != [number]:
                    fetcher.taken.append(number)
                client.write_registers(modbus.ACKNOWLEDGE, [high, low], device_id=1)

    return step


def scada(port: int) -> Callable[[Fetcher], None]:
    """Ask for the alerts above the last one that came."""

    async def ask(above: int) -> list[int]:
        async with Client(f"opc.tcp://127.0.0.1:{port}/edgeloupe", timeout=2) as client:
            index = await client.get_namespace_index(NAMESPACE)
            device = await client.nodes.objects.get_child([f"{index}:line-3"])
            values = ua.Variant(above, ua.VariantType.UInt64), ua.Variant(100, ua.VariantType.UInt32)
            _, told = await device.call_method(f"{index}:ReadAlerts", *values)
            return [alert["seq"] for alert in json.loads(told)]

    def step(fetcher: Fetcher) -> None:
        fetcher.taken += asyncio.run(ask(max(fetcher.taken, default=0)))

    return step


def mails(inbox: Inbox) -> list[int]:
    """Expand the ranges in the mails' heads."""
    ranges = [re.findall(r"(\d+)-(\d+)$", mail["X-Edgeloupe-Alerts"])[0] for mail in inbox.mails]
    return [seq for first, last in ranges for seq in range(int(first), int(last) + 1)]


def verdict(name: str, taken: Sequence[int], last: int, kills: int) -> tuple[list[str], bool]:
    """Say in a row of the table how it went, and whether it may be so."""
    once = list(dict.fromkeys(taken))
    lost = last - len(set(taken) & set(range(1, last + 1)))
    in_order = once == sorted(once)
    row = [name, str(last), str(lost), "yes" if in_order else "no", f"{(len(taken) - len(once)) / kills:.2f}"]
    return row, lost == 0 and in_order


class Peers:
    """The other side of every sink, and what each of them took."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.web = stack.enter_context(HttpServer(free_port()))
        self.inbox = Inbox()
        self._mail = SmtpServer(self.inbox, free_port(), None)
        self._mail.start()
        stack.callback(self._mail.stop)
        self._rsyslog = stack.enter_context(Rsyslog(folder))
        self.broker = stack.enter_context(Mosquitto(folder))
        self.nats = stack.enter_context(NatsServer(folder / "js"))
        self.nats.stream()
        self._storage = Storage(free_port())
        self._storage.start("soak")
        stack.callback(self._storage.stop)
        self._sshd = stack.enter_context(Sshd(folder / "sshd"))
        self._far = folder / "far"
        self._files = folder / "out"
        self._ports = {"modbus": free_port(), "opcua": free_port()}
        self._ear = stack.enter_context(Ear(self.broker.port, "spBv1.0/plant/DDATA/#"))
        self.fetchers = {
            "modbus": Fetcher(plc(self._ports["modbus"])),
            "opcua": Fetcher(scada(self._ports["opcua"])),
            "sparkplug": Fetcher(self._hear),
        }
        for fetcher in self.fetchers.values():
            stack.callback(fetcher.stop)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Give the sinks that lead to these peers."""
        people = {"sender": "a@b.example", "recipients": ["c@d.example"], "every_s": 0.01}
        here = "127.0.0.1"
        return {
            "webhook": {"url": f"http://{here}:{self.web.port}/"},
            "email": {"host": here, "port": self._mail.port, "tls": "none", **people},
            "syslog": {"to": f"tcp://{here}:{self._rsyslog.port}"},
            "file": {"folder": self._files},
            "modbus": {"port": self._ports["modbus"], "acknowledge": True},
            "opcua": {"port": self._ports["opcua"]},
            "sparkplug": {"group": "plant"},
            "nats": {"servers": [f"nats://{here}:{self.nats.port}"]},
            "s3": {"bucket": "soak", "endpoint": self._storage.url, "access_key_id": "k"},
            "sftp": {**self._sshd.settings(), "folder": str(self._far)},
        }

    def taken(self) -> dict[str, list[int]]:
        """Give the numbers each peer has, in the order in which they came."""
        paths = sorted(self._files.iterdir())
        return {
            "webhook": self.web.taken,
            "email": mails(self.inbox),
            "syslog": [int(found) for line in self._rsyslog.lines() for found in re.findall(r'seq="(\d+)"', line)],
            "file": [json.loads(line)["seq"] for path in paths for line in path.read_text("utf-8").splitlines()],
            "nats": [alert["seq"] for alert in self.nats.messages()],
            "s3": sorted(int(key[-17:-5]) for key in self._storage.objects("soak")),
            "sftp": sorted(int(path.stem) for path in self._far.rglob("*.json")),
            **{key: fetcher.taken for key, fetcher in self.fetchers.items()},
        }

    def _hear(self, fetcher: Fetcher) -> None:
        once = iter((False, True))
        self._ear.listen(lambda: next(once))
        while self._ear.heard:
            for key, value in parsed(self._ear.heard.pop(0).payload):
                metric = dict(parsed(value)) if key == 2 and isinstance(value, bytes) else {}
                text = metric.get(15)
                if metric.get(1) == b"Alert" and isinstance(text, bytes):
                    fetcher.taken.append(json.loads(text)["seq"])


def main(kills: int) -> int:
    """Run all of it; 0 when nothing was lost."""
    os.environ["EDGELOUPE_S3_SECRET"] = "s"
    logging.disable(logging.CRITICAL)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    dice = random.Random(kills)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        peers = Peers(Path(name), stack)
        settings = {key: {"kind": key, **one} for key, one in peers.settings().items()}
        state = Path(name) / "state"
        plant = Plant(state, mqtt_port=peers.broker.port)
        stack.callback(plant.outbox.close)
        places = Places(state / "outbox.sqlite")

        def start() -> Any:
            child = context.Process(target=serve, args=(state, settings, peers.broker.port), daemon=True)
            child.start()
            return child

        child = start()
        until(lambda: places.count == len(settings), "for the sinks to begin")
        last = 0
        for n in tqdm(range(kills), disable=None, desc="kills"):
            peers.web.answers = [dice.choice((204, 204, 500, 0)) for _ in range(3)]
            peers.inbox.answers = ["451 later"] * dice.randrange(2)
            last = plant.commit(*alerts(dice.randrange(1, 8)))[-1]
            if n % 10 == 9:
                peers.nats.kill()
                peers.nats.start()
            time.sleep(dice.uniform(*BETWEEN_S))
            last = plant.commit(*alerts(dice.randrange(1, 20)))[-1]
            time.sleep(dice.uniform(0.0, 0.15))
            child.kill()
            child.join()
            child = start()
        peers.web.answers, peers.inbox.answers = [], []
        wait_s = time.monotonic() + END_S
        while time.monotonic() < wait_s and (places.hindmost(settings), peers.fetchers["opcua"].taken[-1:]) != (
            last,
            [last],
        ):
            time.sleep(0.5)
        time.sleep(2)  # what was only written may still be on its way
        child.kill()
        child.join()
        taken = peers.taken()
    results = {key: verdict(key, taken[key], last, kills) for key in settings}
    print(table(["sink", "alerts", "lost", "in order", "repeats per kill"], [row for row, _ in results.values()]))
    bad = [key for key in SURE if not results[key][1]]
    print(f"{kills} kills: " + (f"NOT as it should be: {', '.join(bad)}" if bad else "as it should be"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
