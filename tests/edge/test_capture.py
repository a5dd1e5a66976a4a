"""One camera's loop: frames into a slot, faults into words, files never skipped."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.camera_config import CameraConfig
from edge.camera_state import state_slot
from edge.capture import frame_slot, run_capture
from edge.config import Config, ModelConfig, RuleConfig, StorageConfig
from edge.slot import Slot
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Bench:
    """A capture process, and both of its slots."""

    def __init__(self, folder: Path, source: str, **options: Any) -> None:
        self.frames = Slot.create(frame_slot(folder, "c"), 1 << 20)
        self.state = Slot.create(state_slot(folder, "c"), 1 << 16)
        config = Config(
            device="test",
            model=ModelConfig(bundle=folder),
            rules={"spot": RuleConfig()},
            cameras={"c": CameraConfig(source=source, **options)},
            storage=StorageConfig(state_dir=folder, runtime_dir=folder),
        )
        arguments = ("c", config, os.getpid())
        self.process = SPAWN.Process(target=run_capture, args=arguments, daemon=True)
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
