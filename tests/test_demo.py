"""The demonstration as a newcomer meets it: one command, a real broker, a real browser, and a clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from playwright.sync_api import sync_playwright

from tests.appliance import runs

if TYPE_CHECKING:
    from collections.abc import Callable

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE_S = 60.0


class Demo:
    """`edgeloupe demo` and what it prints."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.lines: list[str] = []
        command = [sys.executable, "-m", "edge.cli", "demo", "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self._reader = threading.Thread(target=self._read, name="demo's output")

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip())

    def wait_for(self, found: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not found():
            assert time.monotonic() < deadline, "\n".join(self.lines)
            time.sleep(0.05)

    def said(self, pattern: str) -> str | None:
        return next((match[1] for line in self.lines if (match := re.search(pattern, line))), None)

    def descendants(self) -> list[int]:
        parents: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]


def test_the_belt_the_broker_the_dashboard_and_a_clean_end(tmp_path: Path) -> None:
    assert CHROMIUM.exists(), "Chromium is missing: run `make system`"
    with Demo(tmp_path) as demo:
        demo.wait_for(lambda: demo.said(r"dashboard: (\S+)"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.goto(str(demo.said(r"dashboard: (\S+)")), wait_until="domcontentloaded")
            word = page.locator("#verdict-word").filter(has_text=re.compile("OK|Decidable"))
            word.wait_for(timeout=1000 * PATIENCE_S)
            page.locator("#alerts button").first.wait_for(timeout=1000 * PATIENCE_S)
            browser.close()
        assert complaints == []
        demo.wait_for(lambda: demo.said(r"(demo/belt +NotOK +new .* seq \d+)"))
        running = demo.descendants()
        assert len(running) >= 4  # broker, worker, camera, web
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(20) == 0
        demo.wait_for(lambda: not any(runs(pid) for pid in running))  # who serves forks notices that we are gone
        demo.wait_for(lambda: demo.said("(nothing was left behind)"))
    assert list(tmp_path.glob("edgeloupe-demo-*")) == []


def test_without_mosquitto_the_broker_is_amqtt_and_mqtt_3_1_1_is_used(tmp_path: Path) -> None:
    with Demo(tmp_path, "--broker", "amqtt") as demo:
        demo.wait_for(lambda: demo.said(r"broker: amqtt on .*(MQTT 3.1.1 only)"))
        demo.wait_for(lambda: demo.said(r"(demo/belt +NotOK +new .* seq \d+)"))
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(20) == 0
