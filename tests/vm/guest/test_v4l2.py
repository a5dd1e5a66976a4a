"""The kernel's own virtual camera, vivid: formats, settings, and faults while the daemon inspects what it shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig, ControlsConfig, FormatConfig
from edge.errors import CameraError
from edge.frame import Shot
from edge.pictures.image import bgr
from edge.pictures.planes import Planes
from tests.appliance import Appliance
from tests.vm.guest import vivid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


EMULATED = os.environ.get("EDGELOUPE_VM") == "qemu"
ROUNDS = 1 if EMULATED else 5
DETECTED_S, RECOVERED_S = (60.0, 120.0) if EMULATED else (2.0, 3.0)
"""On an emulated processor everything takes some twenty times as long, so only that it happens is asked."""
FROZEN_S = 3.0  # the default of picture.frozen_s
_GIVE_UP_S = 120.0
_SIZE = FormatConfig(width=320, height=180, fps=10)  # no more than an emulated processor can draw


@pytest.fixture(scope="module")
def camera() -> Iterator[Path]:
    """The device; it is there from the first test to the last."""
    yield vivid.load()
    vivid.unload()


def _edgeloupe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _take(device: Path, pixels: str) -> Shot:
    form = _SIZE.model_copy(update={"pixels": pixels})
    with cameras.create(CameraConfig(source=f"v4l2:{device}", format=form)) as camera:
        shot = camera.read()
    assert isinstance(shot, Shot)
    return shot


def test_the_list_of_cameras_tells_formats_and_controls(camera: Path) -> None:
    done = _edgeloupe("cameras", f"v4l2:{camera}", "--json")
    (found,) = json.loads(done.stdout)
    assert found["source"] == f"v4l2:{camera}"
    assert found["name"] == "vivid"
    assert any(form.startswith("YUYV 320x180 640x360") for form in found["formats"])
    assert any(form.startswith("NV12") for form in found["formats"])
    assert "Gain: 0 to 255, default 100, now" in "\n".join(found["controls"])


def test_a_snapshot_shows_what_the_camera_sees(camera: Path, tmp_path: Path) -> None:
    _show(vivid.RED, text=2)
    done = _edgeloupe("cameras", f"v4l2:{camera}", "--snapshot", str(tmp_path / "s.png"))
    assert (done.returncode, done.stderr) == (0, "")
    seen = cv2.imread(str(tmp_path / "s.png"))
    assert seen is not None
    blue, green, red = np.asarray(seen).mean(axis=(0, 1))
    assert red > 200
    assert max(blue, green) < 60


@pytest.mark.parametrize("pixels", ["YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12"])
def test_raw_formats_stay_planes_of_the_colours_that_the_driver_drew(camera: Path, pixels: str) -> None:
    _show(vivid.BARS, text=2)
    drawn, taken = (_take(camera, form) for form in ("BGR3", pixels))
    assert isinstance(drawn.picture, np.ndarray)
    assert isinstance(taken.picture, Planes)
    assert taken.format == pixels
    off = np.abs(bgr(taken.picture).astype(int) - drawn.picture)
    assert np.percentile(off, 90) <= 3  # chroma runs over the bars' edges
    assert taken.stamp_s is not None
    age_s = time.monotonic() - taken.stamp_s  # one clock; the driver stamps when a picture would have been due
    assert -0.1 <= age_s < _GIVE_UP_S


def test_gain_set_by_hand_is_what_the_driver_has(camera: Path) -> None:
    vivid.control(gain_automatic=1)
    config = CameraConfig(source=f"v4l2:{camera}", controls=ControlsConfig(gain=42), format=_SIZE)
    with cameras.create(config) as opened:
        opened.read()
        assert (vivid.value("gain_automatic"), vivid.value("gain")) == (0, 42)


@pytest.mark.parametrize("name", ["exposure_us", "white_balance_k", "focus"])
def test_what_the_driver_cannot_set_is_one_line(camera: Path, name: str) -> None:
    config = CameraConfig(source=f"v4l2:{camera}", controls=ControlsConfig.model_validate({name: 4000}))
    with pytest.raises(CameraError, match=rf"^controls\.{name}: {camera} can't be set so"):
        cameras.create(config).__enter__()


def test_a_format_or_size_that_it_lacks_is_one_line(camera: Path) -> None:
    for form, said in ((FormatConfig(pixels="H264"), "format.pixels = H264"), (FormatConfig(width=641), "width = 641")):
        with pytest.raises(CameraError, match=said):
            cameras.create(CameraConfig(source=f"v4l2:{camera}", format=form)).__enter__()


def test_who_may_not_open_it_is_told_the_group(camera: Path) -> None:
    code = f"from edge.cameras.v4l2 import _probe; from pathlib import Path; _probe(Path({str(camera)!r}))"
    command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "this user may not open it: add the user to the group video" in done.stderr


def test_a_camera_that_another_program_uses_is_told(camera: Path) -> None:
    stream = ["v4l2-ctl", "-d", str(camera), "--stream-mmap", "--stream-count=0"]
    with subprocess.Popen(stream, stderr=subprocess.PIPE) as other:
        assert other.stderr is not None
        other.stderr.read(1)  # one sign for each picture
        try:
            with (
                pytest.raises(CameraError, match="another program"),
                cameras.create(CameraConfig(source=f"v4l2:{camera}")) as opened,
            ):
                opened.read()
        finally:
            other.kill()


@pytest.fixture(scope="module")
def daemon(camera: Path, scripted_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    _show(vivid.BARS)
    form = {**_SIZE.model_dump(exclude_none=True), "pixels": "YUYV"}
    appliance = Appliance(
        tmp_path_factory.mktemp("daemon"), scripted_bundle, f"v4l2:{camera}", fps=10, format=form, alert_per="part"
    )
    appliance.wait_for(lambda: appliance.camera().get("state") == "live", _GIVE_UP_S)
    yield appliance
    assert appliance.stop() == 0


def test_the_daemon_inspects_what_the_camera_sees(daemon: Appliance) -> None:
    _show(vivid.RED)
    daemon.wait_for(lambda: daemon.camera()["result_evaluation"] == "NotOK", _GIVE_UP_S)
    daemon.wait_for(daemon.alerts, _GIVE_UP_S)
    frame = daemon.alerts()[-1]["frame"]
    assert (frame["width"], frame["height"]) == (320, 180)
    assert 0 <= frame["age_s"] < _GIVE_UP_S
    assert daemon.alerts()[-1]["is_simulated"] is False
    _show(vivid.BARS)


FAULTS: dict[str, tuple[Callable[[], None], Callable[[], None], set[str]]] = {
    "dark": (lambda: _show(vivid.BLACK, text=2), lambda: _show(vivid.BARS), {"dark"}),
    "saturated": (lambda: _show(vivid.WHITE, text=2), lambda: _show(vivid.BARS), {"saturated"}),
    "frozen": (lambda: _show(vivid.BARS, text=2), lambda: _show(vivid.BARS), {"frozen"}),
    "every buffer lost": (lambda: _lose(100), lambda: _lose(0), {"stalled"}),
    "taken away": (vivid.unplug, vivid.plug, {"failed", "stalled"}),
}
"""How it begins, how it ends, and the states that tell it."""


def _show(pattern: int, *, text: int = 0) -> None:
    """Let the driver draw a pattern; `text` of 2 leaves out the clock, which else makes each picture another."""
    vivid.control(test_pattern=pattern, osd_text_mode=text)


def _lose(percent: int) -> None:
    vivid.control(percentage_of_dropped_buffers=percent)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_camera_comes_back_by_itself(
    daemon: Appliance, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end, states = FAULTS[fault]
    told, back = [], []
    for _ in range(ROUNDS):
        began = time.monotonic()
        begin()
        daemon.wait_for(lambda: daemon.camera()["state"] in states, _GIVE_UP_S)
        told.append(time.monotonic() - began)
        began = time.monotonic()
        end()
        daemon.wait_for(lambda: daemon.camera()["state"] == "live", _GIVE_UP_S)
        back.append(time.monotonic() - began)
    _say(capsys, f"{fault}: {ROUNDS} times, told after at most {max(told):.2f} s, live again after {max(back):.2f} s")
    assert max(told) <= DETECTED_S + FROZEN_S * (fault == "frozen")
    assert max(back) <= RECOVERED_S


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("button", ["disconnect", "inject_fatal_streaming_error"])
def test_a_stream_that_breaks_off_is_opened_again(
    daemon: Appliance, button: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The driver is whole again as soon as the broken stream is closed."""
    told, back = zip(*(_break(daemon, button) for _ in range(ROUNDS)), strict=True)
    _say(capsys, f"{button}: {ROUNDS} times, told after at most {max(told):.2f} s, live again after {max(back):.2f} s")
    assert max(told) <= DETECTED_S
    assert max(back) <= DETECTED_S + RECOVERED_S


def _break(daemon: Appliance, button: str) -> tuple[float, float]:
    """Press it; give the seconds until that was told and until pictures came again."""
    before, began = _broken(daemon), time.monotonic()
    vivid.control(**{button: 1})
    daemon.wait_for(lambda: _broken(daemon) > before, _GIVE_UP_S)
    told = time.monotonic() - began
    daemon.wait_for(lambda: daemon.camera()["state"] == "live", _GIVE_UP_S)
    return told, time.monotonic() - began


def _broken(daemon: Appliance) -> int:
    troubles: dict[str, Any] = daemon.camera()["troubles"]
    return int(troubles.get("failed", 0)) + int(troubles.get("stalled", 0))


@pytest.mark.timeout(1800)
def test_a_buffer_marked_as_damaged_stops_nothing(daemon: Appliance) -> None:
    vivid.control(inject_v4l2_buf_flag_error=1)
    frames = daemon.camera()["frames"]
    daemon.wait_for(lambda: daemon.camera()["frames"] > frames + 20, _GIVE_UP_S)
    assert daemon.camera()["state"] == "live"


@pytest.mark.timeout(1800)
def test_the_driver_can_be_taken_away_and_loaded_again(daemon: Appliance) -> None:
    vivid.unplug()
    daemon.wait_for(lambda: daemon.camera()["state"] in {"failed", "stalled"}, _GIVE_UP_S)
    daemon.wait_for(_unloaded, _GIVE_UP_S)
    vivid.load()
    daemon.wait_for(lambda: daemon.camera()["state"] == "live", _GIVE_UP_S)


def _unloaded() -> bool:
    """Try to take the driver away; the daemon still holds the lost device until it tries to open it anew."""
    return subprocess.run(["modprobe", "-r", "vivid"], check=False, capture_output=True).returncode == 0


def _say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"\n    {line}", end=" ", flush=True)
