"""One camera's loop: frames into a slot, faults into words, files never skipped."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.camera_config import CameraConfig, ClipConfig
from edge.camera_state import state_slot
from edge.capture.capture import frame_slot, run_capture
from edge.capture.clip import CLIP_CAPACITY, ClipWishes, clip_slot
from edge.capture.raw import ASKED_CAPACITY, asked_slot, raw_slot
from edge.clock import SystemClock
from edge.config import Config, ModelConfig, RuleConfig, StorageConfig
from edge.pictures.image import unpack
from edge.pictures.jpeg import Reduced
from edge.slot import Slot
from edge.supervise import SPAWN
from tests.rtsp import RtspServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


SELDOM = {"kind": "interval", "every_s": 60}


class Bench:
    """A capture process, and both of its slots."""

    def __init__(self, folder: Path, source: str, **options: Any) -> None:
        self.frames = Slot.create(frame_slot(folder, "c"), 1 << 20)
        self.state = Slot.create(state_slot(folder, "c"), 1 << 16)
        Slot.create(clip_slot(folder, "c"), CLIP_CAPACITY).close()
        self.raw = Slot.create(raw_slot(folder, "c"), 1 << 20)
        self.asked = Slot.create(asked_slot(folder, "c"), ASKED_CAPACITY)
        config = Config(
            device="test",
            model=ModelConfig(bundle=folder),
            rules={"spot": RuleConfig()},
            cameras={"c": CameraConfig.model_validate({"source": source, **options})},
            storage=StorageConfig(state_dir=folder, runtime_dir=folder),
        )
        self.process = SPAWN.Process(target=run_capture, args=("c", config), daemon=True)
        self.process.start()

    def told(self) -> dict[str, Any]:
        snapshot = self.state.newest()
        return {} if snapshot is None else snapshot.meta

    def holds(self, number: int) -> bool:
        return self.frames.latest == number

    def wait_for(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not what():
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.005)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a capture process; it is killed after the test, as it would run for ever."""
    benches = []

    def start(source: str, **options: Any) -> Bench:
        benches.append(Bench(tmp_path, source, **options))
        return benches[-1]

    yield start
    for bench in benches:
        bench.process.kill()
        bench.process.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        cv2.imwrite(str(pictures / f"{number}.png"), np.full((20, 30, 3), 50 * number, np.uint8))
    return pictures


def test_of_files_no_picture_is_skipped_however_slow_the_reader(folder: Path, start: Callable[..., Bench]) -> None:
    bench = start(f"file:{folder}")
    seen = []
    for number in range(1, 5):
        bench.wait_for(partial(bench.holds, number))
        time.sleep(0.03)
        snapshot = bench.frames.newest()
        assert snapshot is not None
        seen.append((snapshot.meta["id"], int(snapshot.arrays["picture"][0, 0, 0])))
        bench.frames.mark_consumed(snapshot.sequence)
    assert seen == [(1, 0), (2, 50), (3, 100), (4, 150)]
    bench.wait_for(lambda: bench.told().get("state") == "finished")


def test_a_damaged_file_is_told_and_the_next_is_read(folder: Path, start: Callable[..., Bench]) -> None:
    (folder / "1.png").write_bytes(b"damaged")
    bench = start(f"file:{folder}")
    while bench.told().get("state") != "finished":
        bench.frames.mark_consumed(bench.frames.latest)
        time.sleep(0.005)
    assert bench.told()["frames"] == 3
    assert "1.png: not a picture that can be read" in bench.told()["detail"]


def test_a_live_camera_is_not_held_up_by_its_reader(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain", loop=True, fps=200)
    bench.wait_for(lambda: bench.frames.latest > 10)
    assert bench.told()["state"] == "live"


def test_a_camera_that_fails_is_told_in_words_and_opened_again(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain,unplug")
    bench.wait_for(lambda: bench.told().get("state") == "failed")
    assert bench.told()["detail"] == "synthetic:unplug: the script unplugs the camera here"
    bench.wait_for(lambda: bench.frames.latest >= 2)


@pytest.mark.parametrize(
    "options", [{"source": "synthetic:plain,plain"}, {"source": "synthetic:plain", "trigger": SELDOM, "loop": True}]
)
def test_the_seconds_before_an_alert_are_kept_though_no_picture_follows(
    start: Callable[..., Bench], tmp_path: Path, options: dict[str, Any]
) -> None:
    clip = ClipConfig(before_s=1, after_s=0.5)
    bench = start(**options, clip=clip.model_dump())
    bench.wait_for(lambda: bench.told().get("state") in ("finished", "waiting"))
    path = ClipWishes(clip, tmp_path, "c").ask("d/1", SystemClock().monotonic_s())
    assert path is not None
    bench.wait_for((tmp_path / "evidence" / path).exists)
    assert bench.told()["state"] in ("finished", "waiting")


def test_frames_come_no_faster_than_asked_for(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain", loop=True, fps=20)
    taken = []
    for number in (1, 12):
        bench.wait_for(lambda number=number: bench.frames.latest >= number)  # type: ignore[misc]
        snapshot = bench.frames.newest()
        assert snapshot is not None
        taken.append((snapshot.meta["id"], snapshot.meta["captured_mono_s"]))
    (first, began), (last, ended) = taken
    assert (last - first) / (ended - began) < 2 * 20  # the first may come late to its time; unpaced would be hundreds


def test_a_camera_that_is_wanted_now_and_then_is_closed_in_between(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain", loop=True, trigger={"kind": "interval", "every_s": 7}, burst=3)
    bench.wait_for(lambda: bench.frames.latest == 1)
    for number in (1, 2, 3):
        bench.wait_for(partial(bench.holds, number))
        bench.frames.mark_consumed(number)
    bench.wait_for(lambda: bench.told().get("state") == "waiting")
    assert bench.told()["detail"].startswith("closed for ")
    bench.wait_for(lambda: bench.frames.latest == 4)


def test_pictures_of_a_part_wait_for_their_reader(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain", loop=True, fps=50, burst=4)
    seen = []
    for number in range(1, 9):
        bench.wait_for(partial(bench.holds, number))
        snapshot = bench.frames.newest()
        assert snapshot is not None
        seen.append(tuple(snapshot.meta["burst"]))
        bench.frames.mark_consumed(number)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2


def test_of_a_burst_only_the_sharpest_is_handed_on(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain,part,plain", loop=True, fps=50, burst=3, pick="sharpest")
    bench.wait_for(lambda: bench.frames.latest == 1)
    snapshot = bench.frames.newest()
    assert snapshot is not None
    assert snapshot.arrays["picture"].min() < 60, "the one with a part in it"
    assert snapshot.meta["burst"] == [1, 1]


def test_faults_are_found_although_nothing_is_wanted(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:dark", loop=True, fps=50, trigger={"kind": "change"})
    bench.wait_for(lambda: bench.told().get("state") == "dark")
    assert bench.frames.latest == 0


def test_a_file_of_the_configuration_that_is_missing_is_told_and_waited_for(
    start: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = start("synthetic:plain", loop=True, fps=20, reference=tmp_path / "ref.png")
    bench.wait_for(lambda: bench.told().get("state") == "failed")
    assert "ref.png" in bench.told()["detail"]
    cv2.imwrite(str(tmp_path / "ref.png"), np.full((240, 320, 3), 128, np.uint8))
    bench.wait_for(lambda: bench.told().get("state") == "live")


def test_pictures_that_somebody_sends_are_waited_for_in_peace(start: Callable[..., Bench], tmp_path: Path) -> None:
    bench = start(f"watch:{tmp_path}")
    bench.wait_for(lambda: bench.told().get("state") == "waiting")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 3), 128, np.uint8))
    bench.wait_for(lambda: bench.frames.latest == 1)


def test_of_a_jpeg_no_more_is_decoded_than_the_reader_wants(start: Callable[..., Bench], tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(2):
        writer.write(np.full((240, 320, 3), 128, np.uint8))
    writer.release()
    bench = start(f"file:{path}", loop=True)
    bench.wait_for(partial(bench.holds, 1))
    first = bench.frames.newest()
    assert first is not None
    assert first.arrays["picture"].shape == (240, 320, 3), "nobody said yet what is wanted"
    bench.frames.want(64, 48)
    for number in (2, 3):
        bench.frames.mark_consumed(number - 1)
        bench.wait_for(partial(bench.holds, number))
    snapshot = bench.frames.newest()
    assert snapshot is not None
    seen = unpack(snapshot.meta["image"], snapshot.arrays)
    assert isinstance(seen, Reduced)
    assert (seen.shape, seen.small.shape) == ((240, 320, 3), (60, 80, 3))


def test_nobody_sending_for_longer_than_agreed_is_a_stall(start: Callable[..., Bench], tmp_path: Path) -> None:
    bench = start(f"watch:{tmp_path}", stall_s=0.5)
    bench.wait_for(lambda: bench.told().get("state") == "stalled")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 3), 128, np.uint8))
    bench.wait_for(lambda: bench.told().get("state") == "live")


def test_a_camera_that_is_opened_again_has_its_whole_time_for_that(start: Callable[..., Bench]) -> None:
    bench = start("synthetic:plain,unplug", fps=20)
    bench.wait_for(lambda: bench.told().get("given") is True)
    bench.wait_for(lambda: bench.told().get("state") == "failed" and bench.told().get("given") is False)


def test_waiting_after_a_refusal_is_no_silence(start: Callable[..., Bench], tmp_path: Path) -> None:
    with RtspServer("viewer", "secret") as server:
        bench = start(server.url("h264"))
        bench.wait_for(lambda: bench.told().get("state") == "refused")
        first = bench.told()["told_mono_s"]
        bench.wait_for(lambda: bench.told()["told_mono_s"] > first + 1)
        assert bench.told()["troubles"] == {"refused": 1}


def test_raw_pictures_are_left_whole_and_only_when_asked_for(start: Callable[..., Bench], folder: Path) -> None:
    bench = start(f"file:{folder}", loop=True, geometry={"crop": [0, 0, 16, 16]})
    for number in range(1, 12):
        bench.wait_for(partial(bench.holds, number))
        bench.frames.mark_consumed(number)
    assert bench.raw.latest == 0
    for number in (1, 2):
        bench.asked.mark_consumed(number)
        while bench.raw.latest < number:
            bench.frames.mark_consumed(bench.frames.latest)
            time.sleep(0.005)
        raw = bench.raw.newest()
        assert raw is not None
        assert raw.arrays["picture"].shape == (20, 30, 3), "before the crop"
    for _ in range(6):
        bench.wait_for(lambda: bench.frames.latest > bench.frames.consumed)
        bench.frames.mark_consumed(bench.frames.latest)
    assert bench.raw.latest == 2
