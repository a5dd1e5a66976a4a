"""The unit file under a running systemd: readiness, watchdog, kill -9, state, and a sandbox that opens the camera."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.demo.appliance import BUNDLE
from edge.outbox.outbox import OutboxReader
from tests.scripted import make_bundle
from tests.vm.guest import service, vivid

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    """The service over vivid, with the network and the runtime that ship; `start` returns when it says READY=1."""
    camera = vivid.load()
    vivid.control(test_pattern=vivid.BARS)
    service.configure(BUNDLE, camera, "lesion")
    try:
        service.systemctl("start", "edgeloupe")
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error.stderr}\n{service.journal()}")
    yield
    service.systemctl("stop", "edgeloupe")
    shutil.rmtree(service.STATE)
    vivid.unload()


def _live() -> bool:
    told = service.camera()
    return told.get("state") == "live" and bool(told.get("inspected"))


def _back_to_life(before: int) -> None:
    service.until(lambda: service.main_pid() not in (0, before), "another process")
    service.until(lambda: service.shown("ActiveState") == "active", "READY=1")
    service.until(_live, "live pictures")


def test_it_is_active_once_it_said_that_it_is_ready(started: None) -> None:
    assert (service.shown("Type"), service.shown("ActiveState")) == ("notify", "active")


def test_its_status_stands_beside_the_unit(started: None) -> None:
    service.until(lambda: service.shown("StatusText") == "inspecting 1 cameras", "a status")


def test_the_sandbox_opens_the_camera_and_inspects(started: None) -> None:
    service.until(_live, "live pictures")


def test_the_sandbox_holds(started: None) -> None:
    pid = service.main_pid()
    told = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    facts = {line.split(":")[0]: line.split(":")[1].split() for line in told.splitlines()}
    assert int(facts["Uid"][1]) == pwd.getpwnam("edgeloupe").pw_uid
    assert (facts["NoNewPrivs"], facts["CapEff"][0].strip("0"), facts["Seccomp"]) == (["1"], "", ["2"])
    inside = ["nsenter", "--target", str(pid), "--mount", "touch"]
    refused = subprocess.run([*inside, "/etc/x"], check=False, capture_output=True, text=True)
    assert "Read-only file system" in refused.stderr
    assert subprocess.run([*inside, str(service.STATE / "x")], check=False).returncode == 0
    (service.STATE / "x").unlink()


def test_its_state_belongs_to_it_alone(started: None) -> None:
    for folder in (service.STATE, service.RUNTIME):
        stat = folder.stat()
        assert (stat.st_mode & 0o777, stat.st_uid) == (0o700, pwd.getpwnam("edgeloupe").pw_uid)


def test_killed_it_is_started_again_and_nothing_is_left_over(started: None) -> None:
    service.until(_live, "live pictures")
    pid, restarts = service.main_pid(), int(service.shown("NRestarts"))
    old = _processes()
    epoch = OutboxReader(service.STATE / "outbox.sqlite").epoch
    os.kill(pid, signal.SIGKILL)
    _back_to_life(pid)
    assert int(service.shown("NRestarts")) == restarts + 1
    assert not old & _processes()
    assert OutboxReader(service.STATE / "outbox.sqlite").epoch == epoch


def _processes() -> set[int]:
    group = Path("/sys/fs/cgroup") / service.shown("ControlGroup").lstrip("/") / "cgroup.procs"
    return {int(pid) for pid in group.read_text(encoding="ascii").split()}


def test_hanging_it_is_killed_by_the_watchdog_and_started_again(started: None) -> None:
    service.until(_live, "live pictures")
    pid, restarts = service.main_pid(), int(service.shown("NRestarts"))
    os.kill(pid, signal.SIGSTOP)
    _back_to_life(pid)
    assert int(service.shown("NRestarts")) == restarts + 1
    assert "Watchdog timeout" in service.journal() or "watchdog" in service.journal()


def test_it_stops_when_asked(started: None) -> None:
    service.systemctl("stop", "edgeloupe")
    assert (service.shown("ActiveState"), service.shown("Result")) == ("inactive", "success")
    service.systemctl("start", "edgeloupe")


def test_with_a_model_of_no_use_it_stays_up_and_says_why(started: None) -> None:
    service.systemctl("stop", "edgeloupe")
    damaged = make_bundle(Path("/var/lib/damaged.loupe"), spot="lesion", sound=False)
    sound = service.CONFIG.read_text(encoding="utf-8")
    service.CONFIG.write_text(sound.replace(str(BUNDLE), str(damaged)), encoding="utf-8")
    try:
        service.systemctl("start", "edgeloupe")
        assert service.shown("ActiveState") == "active"
        assert "self-test" in service.shown("StatusText"), service.shown("StatusText")
    finally:
        service.CONFIG.write_text(sound, encoding="utf-8")
        service.systemctl("restart", "edgeloupe")
