"""Light, rotation and crop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import pytest

from edge.camera_config import GeometryConfig
from edge.errors import CameraError, ConfigError
from edge.geometry.straighten import Geometry
from edge.pictures.image import bgr
from tests import forms

if TYPE_CHECKING:
    from pathlib import Path


def vignette() -> np.ndarray:
    rows, columns = np.mgrid[-1:1:90j, -1:1:120j]
    return np.asarray(200 * (1 - 0.4 * (rows**2 + columns**2) / 2), np.float32)


def test_an_uneven_light_becomes_even(tmp_path: Path) -> None:
    light = vignette()
    cv2.imwrite(str(tmp_path / "white.png"), np.dstack([light * 0.9, light, light * 0.95]))
    geometry = Geometry(GeometryConfig(flat_field=tmp_path / "white.png"))
    grey = np.dstack([light * 0.45, light * 0.5, light * 0.475]).astype(np.uint8)
    even = geometry.apply(grey)
    assert grey[..., 1].std() > 8
    assert even[4:-4, 4:-4, 1].std() < 1


@pytest.mark.parametrize("value", [5, 255])
def test_a_white_sheet_that_is_dark_or_overexposed_is_refused(tmp_path: Path, value: int) -> None:
    cv2.imwrite(str(tmp_path / "white.png"), np.full((50, 60, 3), value, np.uint8))
    with pytest.raises(ConfigError, match="too dark or overexposed"):
        Geometry(GeometryConfig(flat_field=tmp_path / "white.png"))


def test_rotation_comes_before_the_crop() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[0, 0] = 255
    turned = Geometry(GeometryConfig(rotate=90, crop=(20, 0, 20, 60))).apply(picture)
    assert turned.shape == (60, 20, 3)
    assert turned[0, 19].tolist() == [255] * 3


def test_a_crop_beyond_the_picture_is_one_helpful_line() -> None:
    with pytest.raises(CameraError, match="does not lie within 60x40"):
        Geometry(GeometryConfig(crop=(50, 0, 20, 20))).apply(np.zeros((40, 60, 3), np.uint8))


@pytest.mark.parametrize("corner", [(8, 4), (9, 5)])
@pytest.mark.parametrize("rotate", [0, 180])
def test_planes_are_straightened_like_their_pixels(corner: tuple[int, int], rotate: Literal[0, 180]) -> None:
    planes = forms.planes(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
    geometry = Geometry(GeometryConfig(rotate=rotate, crop=(*corner, 20, 18)))
    assert np.array_equal(bgr(geometry.apply(planes)), geometry.apply(planes.bgr()))


def test_without_settings_nothing_is_copied() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    assert Geometry(GeometryConfig()).apply(picture) is picture
