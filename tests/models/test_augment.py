"""Augmentation bends picture and mask alike."""

from __future__ import annotations

import numpy as np
import pytest

from models.augment import augment
from models.recipe import AugmentSpec

STILL = AugmentSpec(
    scale=(1, 1), rotate_deg=0, shift=0, flip=False, brightness=0, contrast=0, gamma=0, colour_cast=0, saturation=0,
    hue_deg=0, blur_px=0, noise=0, jpeg=0,
)  # fmt: skip


def sample() -> tuple[np.ndarray, np.ndarray]:
    picture = np.full((64, 128, 3), 100, np.uint8)
    classes = np.zeros((64, 128), np.uint8)
    picture[20:40, 30:60] = (10, 20, 230)
    classes[20:40, 30:60] = 1
    return picture, classes


@pytest.mark.parametrize("seed", range(20))
def test_the_mask_stays_on_the_defect(seed: int) -> None:
    geometry = STILL.model_copy(update={"scale": (0.8, 1.3), "rotate_deg": 30.0, "shift": 0.1, "flip": True})
    picture, classes = augment(*sample(), (64, 32), geometry, np.random.default_rng(seed))
    assert picture.shape == (32, 64, 3)
    assert classes.shape == (32, 64)
    red = picture[:, :, 2] > 165
    assert (red != (classes == 1)).sum() <= 0.25 * max(red.sum(), 20)


def test_the_same_chance_gives_the_same_sample() -> None:
    first, second = (augment(*sample(), (64, 32), AugmentSpec(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_light_changes_the_picture_and_never_the_mask() -> None:
    light = STILL.model_copy(update={"brightness": 0.3, "contrast": 0.3, "noise": 5.0, "jpeg": 1.0, "hue_deg": 20.0})
    for seed in range(10):
        calm = augment(*sample(), (64, 32), STILL, np.random.default_rng(seed))
        lit = augment(*sample(), (64, 32), light, np.random.default_rng(seed))
        assert np.array_equal(calm[1], lit[1])
        assert not np.array_equal(calm[0], lit[0])
