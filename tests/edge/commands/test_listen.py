from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from edge.alert_line import alert_line
from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.consume import Alert
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
from tests.brokers import PATIENCE_S, Mosquitto, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = (
    "import argparse, sys; from edge.commands import listen as c; p = argparse.ArgumentParser(); c.add_arguments(p)"
)
PAYLOAD: dict[str, Any] = {
    "camera": "belt",
    "alert_id": "a",
    "type": "new",
    "creation_time": "2026-11-21T08:15:30.123Z",
    "result_evaluation": "NotOK",
    "reasons": ["scratch: 2 regions, 812 px"],
    "regions": [{"label": "scratch", "area_px": 800}, {"label": "scratch", "area_px": 12}],
}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A broker with a device that keeps five alerts."""
    clock = SystemClock()
    with Mosquitto(tmp_path) as broker, Outbox(tmp_path / "outbox.sqlite", clock) as outbox:
        outbox.commit([PAYLOAD] * 5)
        config = MqttConfig(port=broker.port)
        path = tmp_path / "outbox.sqlite"
        with MqttSink(config, device="line3", cameras=["belt"], outbox_path=path, clock=clock):
            yield broker.port


def listen(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"{PROGRAM}; sys.exit(c.run(p.parse_args()))", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_prints_an_aligned_line_per_alert_and_stops_after_n(port: int) -> None:
    child = listen("--port", str(port), "--since", "first", "--count", "5")
    out, err = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].split()[:4] == ["2026-11-21T08:15:30.123", "line3/belt", "NotOK", "new"]
    assert "scratch: 2 regions, 812 px" in lines[0]
    assert lines[0].endswith("812 px  seq 1")
    assert len({text.index("seq") for text in lines}) == 1


def test_json_is_one_whole_message_per_line_and_a_file_remembers(port: int, tmp_path: Path) -> None:
    arguments = ("--port", str(port), "--since", "first", "--json", "--db", str(tmp_path / "seen.sqlite"))
    first, _ = listen(*arguments, "--count", "3").communicate(timeout=PATIENCE_S)
    second, _ = listen(*arguments, "--count", "2").communicate(timeout=PATIENCE_S)
    told = [json.loads(text) for text in (first + second).splitlines()]
    assert [message["seq"] for message in told] == [1, 2, 3, 4, 5]
    assert told[0]["regions"] == PAYLOAD["regions"]


def test_ctrl_c_ends_it_cleanly(port: int) -> None:
    child = listen("--port", str(port), "--since", "first")
    assert child.stdout is not None
    alarm = threading.Timer(PATIENCE_S, child.kill)
    alarm.start()
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=PATIENCE_S)
    alarm.cancel()
    alarm.join()
    assert (child.returncode, err) == (0, "")


def test_no_broker_is_an_error() -> None:
    from edge.errors import BrokerError

    child = listen("--port", str(free_port()))
    _, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 1
    assert f"{BrokerError.__name__}: 127.0.0.1" in err.splitlines()[-1]
    assert "connection refused: start the broker" in err


def test_nothing_a_message_holds_reaches_the_terminal_as_a_command() -> None:
    hostile = {"reasons": ["\x1b[2J\nfake"], "creation_time": 7, "regions": [None, {"area_px": "x"}], "type": ["\x07"]}
    alert = Alert(device="line3", camera="belt", epoch="e", seq=1, payload=hostile)
    assert alert_line(alert).isprintable()
