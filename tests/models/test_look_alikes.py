"""Look-alikes: bursts are found, and what all pictures have in common does not make them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from models.datasets import open_dataset
from models.inventory import take_inventory
from models.look_alikes import find_look_alikes, find_twins, join, same, similar, thumbnail, whiten
from tests.conftest import SHARED

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(7)


def scene(seed: int) -> NDArray[np.float32]:
    """A picture of its own, (96, 128)."""
    noise = np.random.default_rng(seed).normal(0, 1, (96, 128)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 4)
    return (128 + 400 * blurred).clip(0, 255).astype(np.float32)


def shot(picture: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """Another exposure of it."""
    return (gain * picture + RNG.normal(0, 3, picture.shape)).clip(0, 255).astype(np.float32)


def looks(pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return whiten(np.array([thumbnail(picture) for picture in pictures]))


def test_exposures_of_one_scene_are_one_group() -> None:
    pictures = [shot(scene(number), gain) for number in range(8) for gain in (0.5, 0.8, 1.1)]
    groups = find_look_alikes(looks(pictures)).groups
    assert groups.tolist() == [3 * (place // 3) for place in range(24)]


def test_what_all_pictures_share_does_not_make_them_alike() -> None:
    leaf = 60 * cv2.GaussianBlur(cv2.circle(np.zeros((96, 128), np.float32), (64, 48), 30, 1, -1), (0, 0), 2)
    pictures = [(leaf + 0.4 * scene(number)).astype(np.float32) for number in range(60)]
    plain = np.array([thumbnail(picture) for picture in pictures])
    assert np.median(plain @ plain.T) > 0.1  # they do share something
    assert len(set(find_look_alikes(looks(pictures)).groups.tolist())) == 60


def test_flat_pictures_are_like_nothing() -> None:
    flat = [np.full((40, 40), value, np.float32) for value in (0, 255, 255)]
    assert not thumbnail(flat[0]).any()
    assert find_look_alikes(looks([*flat, scene(1), scene(2)])).groups.tolist() == [0, 1, 2, 3, 4]


def test_a_chain_too_long_for_a_burst_raises_the_threshold_and_says_so() -> None:
    steps = np.linspace(0, np.pi, 120)[:, None]
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(576, 2)))[0].T
    circle = (np.cos(steps) * axes[0] + np.sin(steps) * axes[1]).astype(np.float32)
    found = find_look_alikes(circle)
    assert found.threshold == 0.9
    assert "chain 120 pictures together" in found.note
    asked = find_look_alikes(circle, 0.5)
    assert (set(asked.groups.tolist()), asked.threshold, asked.note) == ({0}, 0.5, "")


def test_no_picture_and_one_picture_have_no_look_alikes() -> None:
    assert find_look_alikes(whiten(np.zeros((0, 576), np.float32))).groups.tolist() == []
    assert find_look_alikes(looks([scene(1)])).groups.tolist() == [0]


def test_pairs_across_blocks_are_found() -> None:
    vectors = np.linalg.qr(np.random.default_rng(2).normal(size=(576, 576)))[0].astype(np.float32)
    vectors[570] = vectors[3]
    ((first, second, alike),) = [block for block in similar(vectors, 0.5) if len(block[0])]
    assert (first.tolist(), second.tolist()) == ([3], [570])
    assert alike == pytest.approx(1, abs=1e-5)


def test_twins_stand_on_different_sides_and_the_most_alike_come_first() -> None:
    pairs = (np.array([0, 0, 2]), np.array([1, 2, 3]), np.array([0.9, 0.5, 0.8], np.float32))
    twins = find_twins([pairs], np.array([0, 0, 1, 2]))
    assert list(twins.similarity) == [(2, 3), (0, 2)]
    assert twins.pictures.tolist() == [True, False, True, True]
    assert not find_twins([pairs], np.array([0, 0, 0, -1])).similarity


def test_joining_is_transitive_and_none_is_nobodys_key() -> None:
    assert join(5, [same(["a", "b", "a", None, None]), same([1, 2, 3, 3, 4])]).tolist() == [0, 1, 0, 0, 4]


@pytest.mark.parametrize(("name", "precision", "recall"), [("crops/rice-field", 0.97, 0.99), ("tiles", 0.99, 0.63)])
def test_groups_that_people_stated_are_found_again(name: str, precision: float, recall: float) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs ../shared/data/{name}")
    inventory = take_inventory(open_dataset(SHARED / name))
    stated = np.unique([seen.sample.group for seen in inventory.pictures], return_inverse=True)[1]
    found = find_look_alikes(whiten(inventory.looks)).groups
    pairs = np.triu_indices(len(stated), 1)
    truth, said = ((groups[:, None] == groups)[pairs] for groups in (stated, found))
    assert (truth & said).sum() / said.sum() > precision
    assert (truth & said).sum() / truth.sum() > recall
