"""What is known about a shot when it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.camera_config import CameraConfig, GeometryConfig, PictureConfig
from edge.clock import FakeClock
from edge.errors import ConfigError, PictureError
from edge.fitness.examine import Examiner
from edge.frame import Shot
from edge.geometry.straighten import Geometry
from edge.pictures.jpeg import Reduced, open_jpeg
from tests import forms

if TYPE_CHECKING:
    from pathlib import Path

    from edge.picture import Picture

STRAIGHT = Geometry(GeometryConfig())


def grey(height: int = 48) -> Picture:
    return np.random.default_rng(1).integers(125, 131, (height, 64, 3)).astype(np.uint8)


def examiner() -> Examiner:
    return Examiner(CameraConfig(source="synthetic:plain"), PictureConfig(), FakeClock(), None)


def test_a_time_that_the_sensor_tells_is_believed_but_never_in_the_future() -> None:
    looks = examiner()
    for taken, expected in ((9.5, 9.5), (11.0, 10.0)):
        examined = looks.examine(Shot(picture=grey(), taken_mono_s=taken), STRAIGHT, 10.0, steady=True)
        assert examined.taken_mono_s == expected


def test_a_hot_sensor_is_a_fault() -> None:
    found = examiner().examine(Shot(picture=grey(), temperature_c=91.0), STRAIGHT, 1.0, steady=True).faults
    assert [str(fault) for fault in found] == ["overheated: the sensor is at 91 °C: cool or shade it"]


def test_a_stamp_that_goes_back_is_a_fault() -> None:
    looks = examiner()
    looks.examine(Shot(picture=grey(), stamp_s=5.0), STRAIGHT, 1.0, steady=True)
    found = looks.examine(Shot(picture=grey(), stamp_s=4.0), STRAIGHT, 1.1, steady=True).faults
    assert [fault.kind for fault in found] == ["clock"]


def test_a_source_that_is_opened_anew_may_count_from_zero() -> None:
    looks = examiner()
    looks.examine(Shot(picture=grey(), stamp_s=5.0), STRAIGHT, 1.0, steady=True)
    looks.begin()
    assert looks.examine(Shot(picture=grey(), stamp_s=0.0), STRAIGHT, 1.1, steady=True).faults == ()


def test_a_jpeg_is_decoded_as_large_as_wanted_and_whole_for_the_geometry() -> None:
    shot = Shot(picture=open_jpeg(forms.jpeg(np.full((256, 512, 3), 90, np.uint8)), "c"))
    seen = examiner().examine(shot, STRAIGHT, 1.0, steady=True, wanted=(128, 64)).picture
    assert isinstance(seen, Reduced)
    assert seen.small.shape == (64, 128, 3)
    crop = Geometry(GeometryConfig(crop=(0, 0, 32, 32)))
    assert isinstance(examiner().examine(shot, crop, 1.0, steady=True, wanted=(128, 64)).picture, np.ndarray)
    assert isinstance(examiner().examine(shot, STRAIGHT, 1.0, steady=True).picture, np.ndarray)


def test_a_jpeg_that_can_not_be_decoded_is_damaged() -> None:
    data = forms.jpeg(np.full((256, 512, 3), 90, np.uint8))
    at = data.index(b"\xff\xda")
    shot = Shot(picture=open_jpeg(data[:at] + b"\xff\xd9", "c"))
    with pytest.raises(PictureError):
        examiner().examine(shot, STRAIGHT, 1.0, steady=True)


def test_a_picture_of_another_size_is_not_forced_into_the_crop() -> None:
    looks, crop = examiner(), Geometry(GeometryConfig(crop=(0, 0, 32, 32)))
    assert looks.examine(Shot(picture=grey()), crop, 1.0, steady=True).picture.shape == (32, 32, 3)
    examined = looks.examine(Shot(picture=grey(height=20)), crop, 1.1, steady=True)
    assert [fault.kind for fault in examined.faults] == ["wrong_format"]
    assert examined.picture.shape == (20, 64, 3)


def test_a_reference_that_is_missing_is_one_helpful_line(tmp_path: Path) -> None:
    config = CameraConfig(source="synthetic:plain", reference=tmp_path / "none.png")
    with pytest.raises(ConfigError, match=r"reference = .*none\.png.*edgeloupe cameras --snapshot"):
        Examiner(config, PictureConfig(), FakeClock(), None)
