"""Pictures that can't be judged."""

from __future__ import annotations

import numpy as np
import pytest

from edge.config import PictureConfig
from edge.picture_check import PictureCheck


def picture(value: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-3, 4, (64, 96, 3))
    return np.clip(value + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("value", "age_s", "word"), [(4, 0.0, "dark"), (253, 0.0, "overexposed"), (128, 3.0, "stale"), (128, 1.0, None)]
)
def test_dark_overexposed_and_stale_pictures_are_named(value: int, age_s: float, word: str | None) -> None:
    faults = PictureCheck(PictureConfig()).faults(picture(value), age_s, simulated=False)
    assert [fault.split(":")[0] for fault in faults] == ([word] if word else [])


def test_identical_pictures_of_a_live_camera_are_frozen_after_so_many() -> None:
    check = PictureCheck(PictureConfig(frozen_after=3))
    told = [bool(check.faults(picture(128), 0.0, simulated=False)) for _ in range(4)]
    assert told == [False, False, True, True]
    assert not check.faults(picture(128, seed=1), 0.0, simulated=False)


def test_a_file_may_show_the_same_picture_for_ever() -> None:
    check = PictureCheck(PictureConfig(frozen_after=2))
    assert not any(check.faults(picture(128), 0.0, simulated=True) for _ in range(5))
