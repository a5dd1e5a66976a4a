"""The daemon as a whole: real processes, a scripted network, real SQLite; the broker has tests of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.camera_config import CameraConfig
from edge.camera_state import state_slot
from edge.clock import SystemClock
from edge.config import Config, ModelConfig, RuleConfig, StorageConfig
from edge.daemon import Daemon
from edge.outbox.outbox import Outbox
from edge.slot import Slot
from tests.appliance import Appliance, children, draw_parts, runs
from tests.brokers import free_port, until
from tests.last_words import COUNT
from tests.peers import HttpServer

if TYPE_CHECKING:
    from pathlib import Path

Start = Callable[..., Appliance]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return draw_parts(tmp_path / "parts", 30)


def test_every_part_of_a_folder_is_inspected_and_every_defect_is_committed(start: Start, parts: Path) -> None:
    appliance = start(f"file:{parts}", alert_per="part")
    appliance.wait_for(lambda: appliance.camera().get("inspected") == 30)
    assert appliance.camera()["verdicts"] == {"OK": 20, "NotOK": 10, "NotDecidable": 0}
    assert appliance.camera()["dropped"] == 0
    alerts = appliance.alerts()
    assert [alert["type"] for alert in alerts] == ["new", "end"] * 10
    assert [alert["seq"] for alert in alerts] == list(range(1, 21))
    until(lambda: all((appliance.folder / "state" / "evidence" / alert["evidence"]).is_file() for alert in alerts))
    assert appliance.stop() == 0


def test_a_scene_begins_and_ends_one_alert(start: Start) -> None:
    appliance = start("synthetic:plain,red,red,red,plain,plain,plain,plain", fps=3)
    appliance.wait_for(lambda: len(appliance.alerts()) == 2)
    new, end = appliance.alerts()
    assert (new["type"], end["type"]) == ("new", "end")
    assert new["alert_id"] == end["alert_id"]
    assert new["regions"][0]["label"] == "spot"


def test_pictures_that_can_not_be_judged_are_never_ok(start: Start) -> None:
    appliance = start("synthetic:dark,bright,fault,plain", loop=True, fps=4)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 3)
    assert appliance.camera()["verdicts"]["NotDecidable"] >= 2
    assert appliance.alerts() == []


def test_a_camera_that_stalls_is_replaced_and_says_so(start: Start) -> None:
    appliance = start("synthetic:plain,plain,stall", fps=20, stall_s=1)
    appliance.wait_for(lambda: appliance.camera().get("restarts", 0) >= 1)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 3)


def test_a_camera_that_crashes_its_process_is_replaced(start: Start) -> None:
    appliance = start("synthetic:plain,crash", fps=20)
    appliance.wait_for(lambda: appliance.camera().get("restarts", 0) >= 1)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 2)


def test_a_camera_that_is_missing_is_told_in_one_line_and_tried_again(start: Start, tmp_path: Path) -> None:
    later = tmp_path / "later"
    appliance = start(f"file:{later}")
    appliance.wait_for(lambda: appliance.camera().get("state") == "failed")
    assert appliance.camera()["detail"].startswith(f"{later}: does not exist")
    assert not appliance.health()["ready"]
    later.mkdir()
    cv2.imwrite(str(later / "a.png"), np.full((50, 50, 3), 128, np.uint8))
    appliance.wait_for(lambda: appliance.camera().get("inspected") == 1)


def test_a_worker_that_is_killed_is_replaced_and_its_open_alert_is_ended(start: Start) -> None:
    appliance = start("synthetic:plain," + ",".join(["red"] * 2000), fps=20)
    appliance.wait_for(lambda: len(appliance.alerts()) == 1)
    first = appliance.health()["processes"]["worker"]["pid"]
    os.kill(first, signal.SIGKILL)
    appliance.wait_for(lambda: len(appliance.alerts()) >= 3)
    new, ended, again = appliance.alerts()[:3]
    assert (new["type"], ended["type"], again["type"]) == ("new", "end", "new")
    assert ended["alert_id"] == new["alert_id"] != again["alert_id"]
    assert ended["reasons"] == ["the device restarted: the alert is no longer watched"]


class WithLastWords(Appliance):
    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "tests.last_words", "run", "-c", str(self.config)])


def test_what_the_worker_says_while_it_is_asked_to_end_is_committed(tmp_path: Path, scripted_bundle: Path) -> None:
    appliance = WithLastWords(tmp_path, scripted_bundle, "synthetic:plain")
    appliance.wait_for(appliance.alerts)
    assert appliance.stop() == 0
    assert [alert["type"] for alert in appliance.alerts()] == ["new", *["update"] * COUNT]


def test_an_alert_that_is_not_even_stored_is_ended_with_its_watcher(tmp_path: Path, scripted_bundle: Path) -> None:
    """While the disk fails, alerts wait in memory; the worker may die meanwhile."""
    told = {"camera": "c", "type": "new"}
    config = Config(
        device="d",
        model=ModelConfig(bundle=scripted_bundle),
        cameras={"c": CameraConfig(source="synthetic:plain")},
        rules={"spot": RuleConfig()},
        storage=StorageConfig(state_dir=tmp_path, runtime_dir=tmp_path),
    )
    daemon = Daemon(config)
    with Outbox(tmp_path / "outbox.sqlite", SystemClock()) as outbox:
        outbox.commit([{**told, "alert_id": "stored"}, {**told, "alert_id": "stored and over"}])
        daemon._outbox = outbox  # noqa: SLF001 - without starting everything around it
        daemon._uncommitted = [  # noqa: SLF001
            {**told, "alert_id": "waiting"},
            {**told, "alert_id": "stored and over", "type": "end"},
        ]
        daemon._close_open_alerts()  # noqa: SLF001
    added = daemon._uncommitted[2:]  # noqa: SLF001
    assert {(alert["alert_id"], alert["type"]) for alert in added} == {("stored", "end"), ("waiting", "end")}


def test_a_worker_that_hangs_is_replaced(start: Start) -> None:
    appliance = start("synthetic:plain", loop=True, fps=10)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 2)
    first = appliance.health()["processes"]["worker"]["pid"]
    os.kill(first, signal.SIGSTOP)
    appliance.wait_for(lambda: appliance.health()["processes"].get("worker", {}).get("pid", first) != first)
    before = appliance.camera()["inspected"]
    appliance.wait_for(lambda: appliance.camera()["inspected"] > before)


def test_after_kill_9_nothing_runs_on_and_numbers_are_not_used_again(start: Start, parts: Path) -> None:
    appliance = start(f"file:{parts}", alert_per="part", loop=True)
    appliance.wait_for(lambda: len(appliance.alerts()) >= 6)
    pids = [process["pid"] for process in appliance.health()["processes"].values()]
    pids += children(appliance.process.pid)  # the one that forks the others
    appliance.process.kill()
    appliance.process.wait()
    before = appliance.alerts()
    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = start(f"file:{parts}", alert_per="part")
    again.wait_for(lambda: again.alerts()[-1]["seq"] > before[-1]["seq"] + 3)
    after = again.alerts()
    assert [(a["seq"], a["alert_id"], a["type"]) for a in after[: len(before)]] == [
        (a["seq"], a["alert_id"], a["type"]) for a in before
    ]
    assert [alert["seq"] for alert in after] == list(range(1, len(after) + 1))


def test_when_the_process_that_forks_the_others_is_killed_all_are_started_again(start: Start) -> None:
    appliance = start("synthetic:plain", loop=True, fps=10)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) >= 2)
    before = {process["pid"] for name, process in appliance.health()["processes"].items() if name != "core"}
    (forker,) = (pid for pid in children(appliance.process.pid) if before <= set(children(pid)))
    os.kill(forker, signal.SIGKILL)
    appliance.wait_for(lambda: not any(runs(pid) for pid in before))
    inspected = appliance.camera()["inspected"]
    appliance.wait_for(lambda: appliance.camera()["inspected"] > inspected + 2)


def test_systemd_hears_ready_and_a_pulse_and_stopping(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "500000"}
        appliance = start("synthetic:plain", env=env, loop=True, fps=10)
        heard: set[str] = set()
        while not {"READY=1", "WATCHDOG=1"} <= heard:
            heard |= set(systemd.recv(500).decode().splitlines())
        assert appliance.stop() == 0
        while "STOPPING=1" not in heard:
            heard |= set(systemd.recv(500).decode().splitlines())


def test_a_second_daemon_on_the_same_folders_is_refused(start: Start, tmp_path: Path) -> None:
    first = start("synthetic:plain", loop=True, fps=5)
    first.wait_for(first.health)
    command = [sys.executable, "-m", "edge.cli", "run", "-c", str(tmp_path / "edgeloupe.yaml")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "another edgeloupe uses it: stop that one first" in second.stderr


def test_a_bundle_that_was_tampered_with_is_refused_and_the_reason_is_told(
    start: Start, scripted_bundle: Path, tmp_path: Path
) -> None:
    (scripted_bundle / "model.txt").write_text("red is fine\n", encoding="utf-8")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            systemd.settimeout(30)
            appliance = start("synthetic:plain", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, loop=True, fps=5)
            ready, status = systemd.recv(500).decode().splitlines()
        assert ready == "READY=1", "systemd would kill what tells the reason"
        assert status.startswith("STATUS=")
        assert "model.txt" in status
        appliance.wait_for(lambda: "model.txt" in " ".join(appliance.health().get("reasons", [])))
        assert appliance.camera()["inspected"] == 0
    finally:
        (scripted_bundle / "model.txt").write_text("red is a spot\n", encoding="utf-8")


class OnSmallDisk(Appliance):
    """A daemon whose state lies on a file system of 16 MB, which a file `fill` fills and a file `free` frees."""

    def _start(self) -> subprocess.Popen[bytes]:
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        script = f"""
            mount -t tmpfs -o size=16m tmpfs {state}
            (until [ -e {self.folder}/fill ]; do sleep 0.05; done
             cat /dev/zero >{state}/hog 2>/dev/null || true
             until [ -e {self.folder}/free ]; do sleep 0.05; done
             rm {state}/hog) &
            exec {sys.executable} -m edge.cli run -c {self.config}
        """
        return subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script], env=self._env)


def test_on_a_full_disk_alerts_go_on_and_it_is_told_and_mends_itself(tmp_path: Path, scripted_bundle: Path) -> None:
    appliance = OnSmallDisk(tmp_path, scripted_bundle, "synthetic:plain,red", alert_per="part", loop=True, fps=50)

    def told(step: str) -> bool:
        return str(appliance.health()["outbox"]["room"]["step"]) == step

    def last_seq() -> int:
        return int(appliance.health()["outbox"]["last_seq"])

    try:
        appliance.wait_for(lambda: appliance.camera().get("inspected", 0) > 5)
        assert told("ok")
        (tmp_path / "fill").touch()
        appliance.wait_for(lambda: not told("ok"), 5.0)
        before = last_seq()
        appliance.wait_for(lambda: last_seq() > before + 100)
        (tmp_path / "free").touch()
        appliance.wait_for(lambda: told("ok"))
        before = last_seq()
        appliance.wait_for(lambda: last_seq() > before + 20)
        assert appliance.stop() == 0
    finally:
        appliance.process.kill()
        appliance.process.wait()


def test_a_store_damaged_while_the_power_was_off_is_salvaged_and_the_gap_is_told(start: Start) -> None:
    appliance = start("synthetic:plain,red", alert_per="part", loop=True, fps=50)
    appliance.wait_for(lambda: len(appliance.alerts()) > 60)
    appliance.process.kill()
    appliance.process.wait()
    before = appliance.alerts()
    store = appliance.folder / "state" / "outbox.sqlite"
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(store.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    store.write_bytes(data)
    appliance.kill_and_restart()
    appliance.wait_for(lambda: appliance.health().get("outbox", {}).get("gaps"))
    (gap, *_) = appliance.health()["outbox"]["gaps"]
    assert gap["reason"] == "damaged"
    appliance.wait_for(lambda: appliance.alerts()[-1]["seq"] > before[-1]["seq"] + 10)
    after = {alert["seq"]: alert["alert_id"] for alert in appliance.alerts()}
    kept = [alert for alert in before if alert["seq"] in after]
    assert len(before) // 3 < len(kept) < len(before)
    assert all(after[alert["seq"]] == alert["alert_id"] for alert in kept)
    assert appliance.stop() == 0


def test_the_state_of_a_camera_is_told_in_its_slot(start: Start) -> None:
    appliance = start("synthetic:plain", loop=True, fps=10)
    appliance.wait_for(lambda: appliance.camera().get("state") == "live")
    with Slot(state_slot(appliance.folder / "run", "c")) as slot:
        snapshot = slot.newest()
    assert snapshot is not None
    assert snapshot.meta["frames"] >= 1


def test_every_sink_gets_every_alert_though_others_fail_and_the_daemon_is_killed(
    start: Start, parts: Path, tmp_path: Path
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"

    def lines() -> list[str]:
        paths = sorted((tmp_path / "out").glob("*"))
        return [line for path in paths for line in path.read_text("utf-8").splitlines()]

    with HttpServer(free_port()) as server, socket.create_server(("127.0.0.1", 0)) as taken:
        server.answers = [500, 0]
        sinks = {
            "erp": {"kind": "webhook", "url": f"http://127.0.0.1:{server.port}/"},
            "log": {"kind": "file", "folder": str(tmp_path / "out")},
            "away": {"kind": "syslog", "to": f"tcp://{nowhere}"},
            "plc": {"kind": "modbus", "port": taken.getsockname()[1]},
        }
        appliance = start(f"file:{parts}", alert_per="part", loop=True, fps=20, sinks=sinks)
        appliance.wait_for(lambda: len(server.taken) >= 4)
        appliance.kill_and_restart()
        before = appliance.alerts()[-1]["seq"]
        appliance.wait_for(lambda: server.taken[-1] > before + 4)
        appliance.wait_for(lambda: len(lines()) > before + 4)
        told = appliance.health()["sinks"]
        assert appliance.stop() == 0
    taken_once = list(dict.fromkeys(server.taken))
    assert taken_once == list(range(1, len(taken_once) + 1))  # some came twice, none is missing, in order
    assert [json.loads(line)["seq"] for line in lines()] == list(range(1, len(lines()) + 1))
    assert "refused" in told["away"]["detail"]
    assert not told["away"]["connected"]
    assert told["away"]["behind"] >= before
    assert "can't listen" in told["plc"]["detail"]


def test_a_sink_whose_settings_are_wrong_is_one_line_at_the_start(start: Start, parts: Path) -> None:
    sinks = {"line": {"kind": "opcua", "username": "plc"}}
    assert start(f"file:{parts}", sinks=sinks).process.wait(60) == 2


def test_without_a_broker_alerts_that_every_sink_has_do_not_stay_pending(
    start: Start, parts: Path, tmp_path: Path
) -> None:
    sinks = {"log": {"kind": "file", "folder": str(tmp_path / "out")}}
    appliance = start(f"file:{parts}", alert_per="part", sinks=sinks)
    appliance.wait_for(lambda: appliance.health().get("sinks", {}).get("log", {}).get("published") == 20)
    assert appliance.stop() == 0
    again = start("synthetic:plain", fps=20, sinks=sinks)  # room is made at the start, and every minute
    again.wait_for(lambda: again.health().get("processes", {}).get("core", {}).get("pid") == again.process.pid)
    again.wait_for(lambda: again.health()["outbox"]["pending"] == 0)
