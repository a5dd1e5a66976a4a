"""The demonstration's stage: a broker, the daemon, and somebody who listens and tells."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge.alert_line import alert_line
from edge.child import log_to_stderr
from edge.consume import Consumer
from edge.daemon import Daemon
from edge.demo.appliance import demo_config
from edge.demo.broker import NOTES, answers, choose_broker, running_broker

if TYPE_CHECKING:
    from edge.config import Config

_USUAL_PORT = 8080


class Stage:
    """Runs until Ctrl-C, or for `seconds`; leaves nothing running and nothing on the disk."""

    def __init__(self, *, port: int | None, source: str | None, seconds: float | None, broker: str | None) -> None:
        self._port = port
        self._source = source
        self._seconds = seconds
        self._broker = broker
        self._over = threading.Event()

    def run(self) -> None:
        """Play. Raises EdgeloupeError."""
        os.environ.setdefault("EDGELOUPE_LOG", "WARNING")
        log_to_stderr("edgeloupe")
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeloupe-demo-")))
            kind = choose_broker(self._broker)
            broker_port = stack.enter_context(running_broker(kind, folder))
            _say(f"broker: {kind} on 127.0.0.1:{broker_port}, {NOTES[kind]}")
            port = self._port if self._port is not None else (0 if answers(_USUAL_PORT) else _USUAL_PORT)
            config = demo_config(folder, source=self._source, broker_port=broker_port, web_port=port)
            daemon = Daemon(config)
            teller = threading.Thread(target=self._tell, args=(config, began), name="teller", daemon=True)
            stack.callback(teller.join, 3.0)
            stack.callback(self._over.set)
            teller.start()
            if self._seconds is not None:
                timer = threading.Timer(self._seconds, daemon.stop)
                timer.daemon = True
                stack.callback(timer.cancel)
                timer.start()
            daemon.run()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not cut the end short
            _say("stopping")
        _say("stopped; nothing was left behind")

    def _tell(self, config: Config, began: float) -> None:
        """Tell where the dashboard is, then each alert as a subscriber sees it."""
        address = config.storage.runtime_dir / "web.json"
        while not address.exists():
            if self._over.wait(0.05):
                return
        url = json.loads(address.read_text(encoding="utf-8"))["url"]
        _say(f"dashboard: {url}  (Ctrl-C stops everything)")
        first = True
        mqtt = config.mqtt
        if mqtt is None:
            return
        with Consumer(mqtt.host, mqtt.port, mqtt.prefix, since="first") as consumer:
            while not self._over.is_set():
                alert = consumer.poll(0.2)
                if alert is None:
                    continue
                if first:
                    _say(f"first alert after {time.monotonic() - began:.1f} s; one line for each step of an alert:")
                    first = False
                print(alert_line(alert), flush=True)  # noqa: T201 - the demonstration speaks in the terminal


def _say(text: str) -> None:
    print(f"edgeloupe demo: {text}", flush=True)  # noqa: T201 - the demonstration speaks in the terminal
