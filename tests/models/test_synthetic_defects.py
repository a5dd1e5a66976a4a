"""Synthetic defects: seen where the truth says so, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from models.annotation import IGNORE
from models.example import Example
from models.synthetic_defects import spoil

RNG = np.random.default_rng(5)
GREY = np.repeat(RNG.integers(90, 140, (80, 120, 1)).astype(np.uint8), 3, axis=2)
COLOURED = RNG.integers(60, 190, (50, 40, 3)).astype(np.uint8)


def clean(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = GREY) -> Example:
    size = picture.shape[:2]
    return Example(picture, np.zeros(size, np.uint8), np.zeros(size, np.uint16))


def spoilt(seed: int, example: Example | None = None) -> Example:
    return spoil(example or clean(), GREY[::-1], 1, np.random.default_rng(seed))


def test_the_same_chance_gives_the_same_defect() -> None:
    first, second = spoilt(3), spoilt(3)
    assert np.array_equal(first.picture, second.picture)
    assert np.array_equal(first.classes, second.classes)


def test_a_defect_is_marked_only_where_the_picture_changed() -> None:
    marked = 0
    for seed in range(60):
        example = spoilt(seed)
        where = example.classes == 1
        changed = np.abs(example.picture.astype(int) - GREY).max(axis=2)
        marked += bool(where.any())
        assert not where.any() or changed[where].mean() > 3
    assert marked > 40


def test_far_from_a_defect_the_picture_stays_as_it_was() -> None:
    examples = [spoilt(seed) for seed in range(30)]
    assert np.mean([(e.picture == GREY).all(axis=2).mean() for e in examples]) > 0.5


def test_a_change_that_nobody_could_tell_is_ignored_not_learned() -> None:
    flat = np.full_like(GREY, 120)
    found = [spoil(clean(flat), flat, 1, np.random.default_rng(seed)) for seed in range(60)]
    same = [one for one in found if (one.picture == flat).all()]
    assert same  # texture of a flat picture on itself
    assert all(set(np.unique(one.classes)) <= {0, IGNORE} for one in same)


def test_a_grey_camera_sees_no_coloured_defects() -> None:
    assert all((one.picture[..., :1] == one.picture).all() for one in map(spoilt, range(40)))


def test_a_colour_camera_does() -> None:
    found = [spoil(clean(COLOURED), COLOURED, 1, np.random.default_rng(seed)) for seed in range(40)]
    change = [(one.picture.astype(int) - COLOURED)[one.classes == 1] for one in found]
    assert any(len(c) and np.ptp(c.mean(axis=0)) > 15 for c in change)


def test_the_truth_that_was_there_stays_beside_the_defects() -> None:
    before = clean()
    before.classes[:20] = 2
    after = spoilt(1, before)
    kept = after.classes == before.classes
    assert set(np.unique(after.classes[~kept])) <= {1, IGNORE}
    assert (after.classes == 2).sum() > 1000


def test_each_defect_is_an_object_with_a_number() -> None:
    example = spoilt(2)
    assert np.array_equal(example.objects > 0, example.classes == 1)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (31, 7)])
def test_pictures_of_any_size_are_taken(size: tuple[int, int]) -> None:
    for seed in range(30):
        example = spoilt(seed, clean(np.full((*size, 3), 100, np.uint8)))
        assert example.picture.shape == (*size, 3)
