"""Copy-paste: objects arrive whole, where they could be, and their truth with them."""

from __future__ import annotations

import numpy as np

from edge.region import Box
from models.annotation import IGNORE
from models.copy_paste import Patch, cut_out, paste
from models.example import Example, Spot
from models.recipe import AugmentSpec

WHOLE = Box(0, 0, 80, 60)
SPOT = Spot(2, 3, Box(30, 20, 12, 10))


def scene(grey: int) -> Example:
    return Example(np.full((60, 80, 3), grey, np.uint8), np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint16))


def donor() -> Example:
    """A dark object of class 2, number 3, on grey 120."""
    example = scene(120)
    example.picture[20:30, 30:42] = 20
    example.classes[20:30, 30:42] = 2
    example.objects[20:30, 30:42] = 3
    return example


def patch(seed: int = 0) -> Patch:
    cut = cut_out(donor(), SPOT, AugmentSpec(), np.random.default_rng(seed))
    assert cut is not None
    return cut


def test_an_object_arrives_with_its_truth() -> None:
    for seed in range(10):
        host = scene(120)
        result = paste(host, patch(seed), WHOLE, np.random.default_rng(seed))
        assert result is not None
        assert (result.classes == 2).sum() == patch(seed).inside.sum()
        assert ((result.objects == 1) == (result.classes == 2)).all()
        dark = result.picture[:, :, 0] < 70
        assert (dark != (result.classes == 2)).sum() < 0.5 * (result.classes == 2).sum()
        assert not host.classes.any()  # what it was pasted on stays as it was


def test_tones_are_matched_to_the_ground() -> None:
    result = paste(scene(200), patch(), WHOLE, np.random.default_rng(1))
    assert result is not None
    assert abs(int(result.picture[result.classes == 2].min()) - 100) < 8  # 20 on 120 becomes 100 on 200


def test_the_edge_is_soft() -> None:
    result = paste(scene(120), patch(), WHOLE, np.random.default_rng(1))
    assert result is not None
    assert ((result.picture > 40) & (result.picture < 100)).any()


def test_objects_lie_on_the_class_they_came_from() -> None:
    host = scene(120)
    host.classes[:, 40:] = 1
    for seed in range(20):
        result = paste(host, patch(), WHOLE, np.random.default_rng(seed))
        assert result is None or not (result.classes == 2)[:, 40:].any()


def test_nothing_is_pasted_where_it_does_not_fit() -> None:
    for label in (1, IGNORE):
        host = scene(120)
        host.classes[:] = label
        assert paste(host, patch(), WHOLE, np.random.default_rng(0)) is None
    assert paste(scene(120), patch(), Box(0, 0, 10, 10), np.random.default_rng(0)) is None


def test_it_stays_in_its_area() -> None:
    for seed in range(10):
        result = paste(scene(120), patch(), Box(40, 10, 40, 40), np.random.default_rng(seed))
        assert result is not None
        rows, columns = np.nonzero(result.classes)
        assert columns.min() >= 40
        assert rows.min() >= 10


def test_an_object_cut_off_by_the_border_is_left_where_it_is() -> None:
    example = donor()
    example.classes[0:5, 0:5], example.objects[0:5, 0:5] = 2, 4
    assert cut_out(example, Spot(2, 4, Box(0, 0, 5, 5)), AugmentSpec(), np.random.default_rng(0)) is None
