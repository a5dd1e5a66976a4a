"""The Pi's camera as far as it goes without one: settings, colours, times; the rest is `make test-vm`'s."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig, ControlsConfig, FormatConfig
from edge.cameras.picamera2 import controls, from_boot_time, to_planes
from edge.errors import CameraError


def test_what_is_set_by_hand_is_locked() -> None:
    config = CameraConfig(
        source="picamera2:0",
        controls=ControlsConfig(exposure_us=8000, gain=2, white_balance_gains=(1.8, 1.4), focus=3),
        format=FormatConfig(fps=30),
    )
    assert controls(config) == {
        "FrameRate": 30,
        "AeEnable": False,
        "ExposureTime": 8000,
        "AnalogueGain": 2,
        "AwbEnable": False,
        "ColourGains": (1.8, 1.4),
        "AfMode": 0,
        "LensPosition": 3,
    }
    assert controls(CameraConfig(source="picamera2:0")) == {}


def test_planes_become_the_colours_they_came_from() -> None:
    scene = np.zeros((48, 64, 3), np.uint8)
    scene[:, :32] = (30, 60, 200)
    lores = np.asarray(cv2.cvtColor(scene, cv2.COLOR_BGR2YUV_I420), np.uint8)
    planes = to_planes(lores, 60, 48)
    assert planes.shape == (48, 60, 3)
    assert np.abs(planes.bgr()[10, 10].astype(int) - (30, 60, 200)).max() <= 6
    assert np.shares_memory(planes.u, lores)


def test_chroma_side_by_side_is_told_apart() -> None:
    lores = np.full((72, 64), 100, np.uint8)
    lores[48:, ::2], lores[48:, 1::2] = 90, 200
    planes = to_planes(lores, 60, 48, "NV12")
    assert (planes.u.shape, planes.v.shape) == ((24, 30), (24, 30))
    assert (np.unique(planes.u).tolist(), np.unique(planes.v).tolist()) == ([90], [200])


@pytest.mark.parametrize(("width", "height", "matrix"), [(640, 480, "bt601"), (1280, 720, "bt709")])
def test_colours_are_those_that_picamera2_chooses_for_the_size(width: int, height: int, matrix: str) -> None:
    assert to_planes(np.zeros((height * 3 // 2, width), np.uint8), width, height).matrix == matrix


def test_a_sensor_time_stamp_is_laid_on_the_monotonic_clock() -> None:
    stamp_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 40_000_000
    assert time.monotonic() - from_boot_time(stamp_ns) == pytest.approx(0.04, abs=0.02)


def test_without_picamera2_one_line_says_what_to_install() -> None:
    with pytest.raises(CameraError, match="apt install python3-picamera2"):
        cameras.create(CameraConfig(source="picamera2:0")).__enter__()
