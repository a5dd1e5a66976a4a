"""A broker for the demonstration: mosquitto where it is installed, else amqtt, which speaks MQTT 3.1.1 only."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import time
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge.child import become_child
from edge.errors import BrokerError
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_S = 20.0
NOTES = {"mosquitto": "MQTT 5", "amqtt": "speaks MQTT 3.1.1 only, so that is what the device falls back to"}
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def choose_broker(wanted: str | None = None) -> str:
    """Give the name of the broker to run, mosquitto before amqtt. Raises BrokerError when it is not here."""
    here = {
        "mosquitto": shutil.which("mosquitto", path=_PLACES) is not None,
        "amqtt": find_spec("amqtt") is not None,
    }
    kind = wanted or next((name for name, found in here.items() if found), "mosquitto")
    if not here[kind]:
        raise BrokerError(f"broker: {kind} is not here: apt install mosquitto, or pip install 'edgeloupe[demo]'")
    return kind


@contextmanager
def running_broker(kind: str, folder: Path) -> Iterator[int]:
    """Run a broker in a process of its own and give its port. Raises BrokerError when it does not start."""
    port = free_port()
    process = SPAWN.Process(target=run_broker, args=(kind, port, folder), name="broker", daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + _START_S
        while not answers(port):
            if not process.is_alive() or time.monotonic() > deadline:
                raise BrokerError(f"broker: {kind} did not start on port {port}: try again, or install mosquitto")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join(5.0)


def run_broker(kind: str, port: int, folder: Path) -> None:
    """Be the broker's process, on the loopback, until killed."""
    become_child("edgeloupe broker")
    os.setsid()  # Ctrl-C in the terminal is for the parent, who stops us last
    program = shutil.which(kind, path=_PLACES)
    if kind == "mosquitto" and program:
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type error\n", encoding="utf-8"
        )
        os.execv(program, ["mosquitto", "-c", str(config)])  # noqa: S606 - no shell, our own file
    logging.disable(logging.WARNING)
    asyncio.run(_run_amqtt(port))


async def _run_amqtt(port: int) -> None:
    from amqtt.broker import Broker  # noqa: PLC0415 - an extra, for machines without mosquitto

    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listener = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    await Broker({"listeners": {"default": listener}, "plugins": plugins}).start()
    await asyncio.Event().wait()


def free_port() -> int:
    """Find a loopback port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Say whether something listens on the loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
