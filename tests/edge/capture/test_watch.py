"""The core's eye on one capture process, with a clock that moves when told to."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.camera_config import CameraConfig
from edge.camera_state import STATE_CAPACITY, CameraTold, state_slot
from edge.capture.watch import CameraWatch
from edge.clock import FakeClock
from edge.health import CameraHealth
from edge.manifest import LightInfo
from edge.slot import Slot
from edge.supervise import Supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sleeper() -> None:
    time.sleep(600)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.slot = Slot.create(state_slot(folder, "c"), STATE_CAPACITY)
        self.child = Supervised(name="camera c", target=sleeper, arguments=tuple, clock=self.clock, longest_wait_s=4)
        self.health = CameraHealth()
        self.watch = CameraWatch(
            config=CameraConfig(source="synthetic:plain", first_frame_s=20),
            health=self.health,
            child=self.child,
            slot=self.slot,
            clock=self.clock,
        )
        self.child.tend()

    @property
    def state(self) -> str:
        return self.health.state

    def tell(self, **values: object) -> None:
        self.clock.advance(0.1)
        told = CameraTold(**{"told_mono_s": self.clock.monotonic_s(), **values})  # type: ignore[arg-type]
        told.write(self.slot)
        self.watch.tend()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.child.stop()


def test_what_the_process_tells_is_taken(bench: Bench) -> None:
    bench.tell(state="live", given=True, frames=7, temperature_c=41.0)
    assert (bench.state, bench.health.frames, bench.health.temperature_c) == ("live", 7, 41.0)


def test_silence_is_told_first_and_then_ended(bench: Bench) -> None:
    bench.tell(state="live", given=True)
    pid = bench.child.pid
    bench.clock.advance(1.6)
    bench.watch.tend()
    assert bench.state == "stalled"
    assert bench.child.pid == pid
    bench.clock.advance(0.5)
    bench.watch.tend()
    assert bench.child.pid is None
    bench.clock.advance(0.2)
    bench.child.tend()
    assert bench.child.pid not in (None, pid)


def test_a_fault_stays_until_a_picture_disproves_it(bench: Bench) -> None:
    bench.tell(state="live", given=True)
    bench.clock.advance(2)
    bench.watch.tend()
    bench.tell(state="connecting", given=False)
    assert bench.state == "stalled"
    bench.tell(state="live", given=True)
    assert bench.state == "live"
    assert bench.health.troubles == {"stalled": 1}


def test_a_camera_that_never_gave_a_picture_has_as_long_as_agreed(bench: Bench) -> None:
    bench.tell(state="connecting")
    bench.clock.advance(20)
    bench.watch.tend()
    assert bench.state == "connecting"
    bench.clock.advance(3)
    bench.watch.tend()
    assert bench.state == "failed"
    assert bench.health.detail == "no first picture within 20 s"


def test_a_process_that_dies_by_itself_is_a_fault_of_its_camera(bench: Bench) -> None:
    bench.tell(state="live", given=True)
    pid = bench.child.pid
    assert pid is not None
    os.kill(pid, 9)
    while bench.child.pid is not None:
        bench.child.tend()
    bench.watch.tend()
    assert (bench.state, bench.health.detail) == ("failed", "its process ended by itself and is started again")


def test_a_source_that_ended_may_be_silent_for_ever(bench: Bench) -> None:
    bench.tell(state="finished", given=True)
    bench.clock.advance(10_000)
    bench.watch.tend()
    assert bench.state == "finished"
    assert bench.child.pid is not None


def test_light_that_drifts_off_the_calibration_set_is_told_by_name() -> None:
    health = CameraHealth(state="live", colour=(100.0, 100.0, 160.0))
    light = LightInfo(low=(90.0, 80.0, 80.0, 80.0), high=(140.0, 130.0, 130.0, 110.0))
    health.compare(light, 40)
    assert health.drift == 50
    assert health.drift_detail.startswith("red is +50 grey levels off")
    health.compare(light, 60)
    assert health.drift_detail == ""
    health.colour = (60.0, 90.0, 90.0)
    health.compare(light, 5)
    assert health.drift_detail.startswith("blue is -20 grey levels off")
    health.colour = (85.0, 90.0, 105.0)
    health.compare(light, 5)
    assert (health.drift, health.drift_detail) == (0.0, ""), "as dark as some that it was calibrated with"


def test_the_light_of_pictures_is_between_their_means() -> None:
    dark, bright = (np.full((4, 6, 3), colour, np.uint8) for colour in ((10, 20, 60), (200, 100, 90)))
    light = LightInfo.of([dark, bright])
    assert light.low == (30.0, 10.0, 20.0, 60.0)
    assert light.high == (130.0, 200.0, 100.0, 90.0)
    assert light.off((205.0, 20.0, 30.0)) == (0.0, 5.0, 0.0, -30.0)
