"""The real picamera2 on the real libcamera, whose virtual camera stands in for the sensor."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge import attached, cameras
from edge.camera_config import CameraConfig, FormatConfig
from edge.errors import CameraError
from edge.frame import Shot
from edge.pictures.planes import Planes
from tests.vm.guest.off_a_pi import make_virtual_camera, settle_picamera2

pytestmark = pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")  # picamera2's own, on Python 3.13
_SIZE = (640, 480)


@pytest.fixture(autouse=True)
def _virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    make_virtual_camera(*_SIZE)
    settle_picamera2(monkeypatch, *_SIZE)


def _config() -> CameraConfig:
    patient_s = 20.0  # an emulated processor takes seconds for the first pictures
    return CameraConfig(source="picamera2:0", format=FormatConfig(width=_SIZE[0], height=_SIZE[1]), stall_s=patient_s)


def test_the_virtual_camera_is_listed() -> None:
    assert [found.source for found in attached.attached() if found.source.startswith("picamera2")] == ["picamera2:0"]


def test_a_number_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CameraError, match="libcamera sees 1 cameras"):
        cameras.create(CameraConfig(source="picamera2:7")).__enter__()


def test_pictures_come_as_planes_with_the_sensors_time() -> None:
    with cameras.create(_config()) as camera:
        shots = [camera.read() for _ in range(10)]
    times = []
    for shot in shots:
        assert isinstance(shot, Shot)
        assert isinstance(shot.picture, Planes)
        assert shot.picture.shape == (_SIZE[1], _SIZE[0], 3)
        assert shot.taken_mono_s is not None
        times.append(shot.taken_mono_s)
        columns = shot.picture.bgr()[_SIZE[1] // 2].astype(int)
        assert len(np.unique(columns // 32, axis=0)) >= 6  # white, yellow, cyan, green, magenta, red, blue, black
    assert times == sorted(times)
    assert 0 <= time.monotonic() - times[-1] < 60


def test_it_can_be_opened_again() -> None:
    for _ in range(2):
        with cameras.create(_config()) as camera:
            assert isinstance(camera.read(), Shot)
