"""What the device counts about itself."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import FakeClock
from edge.health import CameraHealth, DeviceHealth, resident_bytes

if TYPE_CHECKING:
    from pathlib import Path


def result(verdict: str = "OK", *, number: int = 1) -> dict[str, Any]:
    return {
        "result_evaluation": verdict,
        "processing_times": {"inference": 0.01, "total": 0.02},
        "frame": {"id": number, "age_s": 0.1},
    }


def test_verdicts_and_defects_are_counted_by_name() -> None:
    camera = CameraHealth()
    camera.count(result(), 0, 100.0)
    camera.count(result("NotOK"), 2, 100.5, ["spot", "spot"])
    told = camera.told(101.0)
    assert told["verdicts"] == {"OK": 1, "NotOK": 1, "NotDecidable": 0}
    assert told["defects"] == {"spot": 2}
    assert (told["inspected"], told["dropped"]) == (2, 2)
    assert told["frame_age_s"] == pytest.approx(0.6)


def test_a_camera_that_does_not_keep_up_says_so_until_it_does() -> None:
    camera, dropped = CameraHealth(state="live"), 0
    for number in range(1, 60):
        dropped += 2
        camera.count(result(number=3 * number), dropped, 10.0 + number)
    told = camera.told(100.0)
    assert told["missed"] == pytest.approx(2 / 3, abs=0.05)
    assert told["detail"].startswith("does not keep up")
    assert camera.reason == told["detail"]
    for number in range(200, 300):
        camera.count(result(number=number), dropped, 100.0 + number)
    assert camera.told(400.0)["detail"] == camera.reason == ""


def test_verdicts_after_they_were_due_are_counted() -> None:
    camera = CameraHealth(state="live", due_s=0.05)
    for number in range(100):
        camera.count(result(number=number), 0, 10.0 + number)
    assert camera.told(200.0)["late"] == 100
    assert camera.reason.startswith("does not keep up")


def test_a_frame_that_nobody_takes_is_noticed_and_a_quiet_camera_is_not() -> None:
    camera = CameraHealth(state="live", frames=5)
    camera.count(result(number=5), 0, 10.0)
    assert camera.waiting_s(100.0) == 0.0
    camera.frames = 6
    assert camera.waiting_s(101.0) == 0.0
    assert camera.waiting_s(141.0) == 40.0
    camera.count(result(number=6), 0, 142.0)
    assert camera.waiting_s(150.0) == 0.0


def test_a_device_is_ready_when_model_and_cameras_are(tmp_path: Path) -> None:
    health = DeviceHealth("d", {"a": None, "b": None}, tmp_path, FakeClock())
    assert health.reasons() == ["model: starting", "camera a: connecting", "camera b: connecting"]
    health.model = {"name": "m"}
    health.cameras["a"].state = "live"
    health.cameras["b"].state, health.cameras["b"].detail = "failed", "unplugged"
    assert health.reasons() == ["camera b: failed: unplugged"]
    health.cameras["b"].state = "finished"
    told = health.told(mqtt={}, sinks={}, outbox={}, evidence_bytes=0, processes={"core": 1, "web": None})
    assert told["ready"]
    assert told["processes"].keys() == {"core"}


def test_memory_is_read_when_a_process_is_new_and_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, readings = FakeClock(), count(1)
    monkeypatch.setattr("edge.health.resident_bytes", lambda _: next(readings))
    health = DeviceHealth("d", {}, tmp_path, clock)

    def told(**processes: int | None) -> Any:
        return health.told(mqtt={}, sinks={}, outbox={}, evidence_bytes=0, processes=processes)["processes"]

    assert told(core=1, web=None) == {"core": {"pid": 1, "rss_bytes": 1}}
    assert told(core=1, web=2) == {"core": {"pid": 1, "rss_bytes": 2}, "web": {"pid": 2, "rss_bytes": 3}}
    clock.advance(4.0)
    assert told(core=1, web=2)["web"]["rss_bytes"] == 3
    clock.advance(1.0)
    assert told(core=1, web=2)["web"]["rss_bytes"] == 5


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert resident_bytes(2**22 + 1) == 0
