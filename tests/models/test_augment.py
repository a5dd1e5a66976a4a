"""Augmentation bends picture and truth alike."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edge.region import Box
from models.annotation import IGNORE
from models.augment import augment
from models.example import Example
from models.recipe import AugmentSpec

STILL = AugmentSpec(
    scale=(1, 1), rotate_deg=0, shift=0, flip=False, brightness=0, contrast=0, gamma=0, colour_cast=0, saturation=0,
    hue_deg=0, blur_px=0, noise=0, jpeg=0,
)  # fmt: skip


def example() -> Example:
    """A red box, object 7, on grey, with a strip of unknown pixels."""
    picture = np.full((64, 128, 3), 100, np.uint8)
    classes = np.zeros((64, 128), np.uint8)
    picture[20:40, 30:60] = (10, 20, 230)
    classes[20:40, 30:60] = 1
    classes[:, 100:104] = IGNORE
    return Example(picture, classes, np.where(classes == 1, 7, 0).astype(np.uint16))


@pytest.mark.parametrize("seed", range(10))
def test_the_truth_stays_on_the_defect(seed: int) -> None:
    geometry = STILL.model_copy(update={"scale": (0.8, 1.3), "rotate_deg": 30.0, "shift": 0.1, "flip": True})
    bent = augment(example(), (64, 32), geometry, np.random.default_rng(seed))
    assert bent.picture.shape == (32, 64, 3)
    assert bent.classes.shape == bent.objects.shape == (32, 64)
    red = bent.picture[:, :, 2] > 165
    assert (red != (bent.classes == 1)).sum() <= 0.25 * max(red.sum(), 20)
    assert ((bent.objects == 7) == (bent.classes == 1)).all()
    assert set(np.unique(bent.classes)) <= {0, 1, IGNORE}


def test_the_same_chance_gives_the_same_example() -> None:
    first, second = (augment(example(), (64, 32), AugmentSpec(), np.random.default_rng(5)) for _ in range(2))
    for name in Example._fields:
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_light_changes_the_picture_and_never_the_truth() -> None:
    light = STILL.model_copy(
        update={"brightness": 0.3, "contrast": 0.3, "noise": 5.0, "jpeg": 1.0, "hue_deg": 20.0, "motion_px": 9.0}
    )
    for seed in range(10):
        calm = augment(example(), (64, 32), STILL, np.random.default_rng(seed))
        lit = augment(example(), (64, 32), light, np.random.default_rng(seed))
        assert np.array_equal(calm.classes, lit.classes)
        assert not np.array_equal(calm.picture, lit.picture)


def test_a_view_fills_the_result() -> None:
    cut = augment(example(), (60, 40), STILL, np.random.default_rng(0), Box(30, 20, 30, 20))
    squeezed = (cut.classes == 1).mean()  # the aspect still changes by up to a tenth
    assert squeezed > 0.8


def test_motion_draws_a_line_and_keeps_the_brightness() -> None:
    still = augment(example(), (128, 64), STILL, np.random.default_rng(0)).picture
    moving = STILL.model_copy(update={"motion_px": 15.0})
    pictures = [augment(example(), (128, 64), moving, np.random.default_rng(seed)).picture for seed in range(30)]
    streaked = [p for p in pictures if len(np.unique(p[:, :, 2])) > len(np.unique(still[:, :, 2])) + 5]
    assert streaked
    assert all(abs(float(p.mean()) - float(still.mean())) < 6 for p in streaked)


def test_default_augmentation_draws_what_it_drew_for_published_models() -> None:
    bent = augment(example(), (64, 32), AugmentSpec(), np.random.default_rng([1, 2, 3]))
    assert hashlib.sha256(bent.classes.tobytes()).hexdigest()[:16] == "3be18c802aab18ee"
    assert abs(float(bent.picture.mean()) - 89.37) < 0.01
