"""Real brokers for tests, on the loopback, and an ear to hear what they pass on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import pytest

from edge.clock import SystemClock
from edge.mqtt.broker import Broker
from edge.mqtt.link import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.mqtt.broker import Message, Received

PATIENCE_S = 30.0
"""How long tests wait for what must come; on an idle machine it takes fractions of a second."""

_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_AMQTT = """
import asyncio, logging, sys
from amqtt.broker import Broker
logging.disable(logging.CRITICAL)
async def run():
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listener = {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}
    await Broker({"listeners": {"default": listener}, "plugins": plugins}).start()
    await asyncio.Event().wait()
asyncio.run(run())
"""


def until(true: Callable[[], object], what: str = "", patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail when it does not come about."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience_s:.0f} s in vain {what}")
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningBroker:
    """A broker's process on a port that stays the same when it is started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        assert self._process is None
        self._process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, "for the broker")

    def stop(self) -> None:
        """End it as the system does, with time to save its state."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            return True
        return False


class Mosquitto(RunningBroker):
    """The broker most devices talk to. `lines` are added to its configuration."""

    def __init__(self, folder: Path, *lines: str, listener: str = "", anonymous: bool = True) -> None:
        super().__init__()
        self._program = shutil.which("mosquitto", path=_PLACES)
        if self._program is None:
            pytest.fail("these tests need the broker mosquitto: apt install mosquitto")
        self._config = folder / "mosquitto.conf"
        self.configure(*lines, listener=listener, anonymous=anonymous)

    def configure(self, *lines: str, listener: str = "", anonymous: bool = True) -> None:
        """Write the configuration for the next start."""
        told = [
            f"listener {self.port} 127.0.0.1",
            listener,
            f"allow_anonymous {str(anonymous).lower()}",
            f"user {'root' if os.geteuid() == 0 else 'nobody'}",  # or root would become someone who can't read
            "set_tcp_nodelay true",
            *lines,
        ]
        self._config.write_text("\n".join(told) + "\n", encoding="utf-8")

    def command(self) -> Sequence[str]:
        assert self._program is not None
        return [self._program, "-c", str(self._config)]


class Amqtt(RunningBroker):
    """A broker that speaks MQTT 3.1.1 only."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", _AMQTT, str(self.port)]


class Ear:
    """Hears what a broker passes on; a fresh one gets the retained messages first."""

    def __init__(self, port: int, *filters: str, name: str = "ear") -> None:
        broker = Broker(host="127.0.0.1", port=port)
        self._link = connect(broker, client_id=name, clock=SystemClock(), session_s=0)
        self._link.subscribe(*filters)
        self.heard: list[Received] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._link.close()

    def listen(self, enough: Callable[[], object], what: str = "") -> None:
        """Listen until there is enough."""
        deadline = time.monotonic() + PATIENCE_S
        while not enough():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {PATIENCE_S:.0f} s in vain {what}; heard {[r.topic for r in self.heard][-20:]}")
            self.hark(0.05)

    def hark(self, seconds: float) -> None:
        """Listen for a moment."""
        self._link.pump(seconds)
        while self._link.inbox:
            self.heard.append(self._link.inbox.popleft())

    def payloads(self, topic: str) -> list[bytes]:
        """What was heard on a topic, in order."""
        return [received.payload for received in self.heard if received.topic == topic]


def publish(port: int, message: Message) -> None:
    """Publish one message at QoS 1 and wait for the broker's yes."""
    broker = Broker(host="127.0.0.1", port=port)
    with connect(broker, client_id="sender", clock=SystemClock(), session_s=0) as link:
        link.publish(message)
        while not link.acks:
            link.pump(1.0)
        assert link.acks.popleft().refusal is None
