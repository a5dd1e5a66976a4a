"""CenterMask: what becomes of its proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models import archs
from models.archs import Network, Seen
from models.archs.centermask import MASK_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT, WIDTH = 40, 80
LEFT, RIGHT, WIDE = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75), (0.25, 0.25, 1.0, 0.75)

Proposal = tuple[float, int, tuple[float, float, float, float]]


@pytest.fixture(scope="module")
def net() -> Network:
    return archs.build("centermask", 3, width=0.5)


def full(*proposals: Proposal) -> list[NDArray[np.float32]]:
    """Give the outputs for objects that fill their boxes."""
    scores, labels, boxes = zip(*proposals, strict=True)
    masks = np.ones((1, len(proposals), MASK_SIDE, MASK_SIDE))
    values = ([scores], [labels], [boxes], masks, [[HEIGHT, WIDTH]])
    return [np.asarray(value, np.float32) for value in values]


def test_a_mask_is_drawn_where_its_box_lies(net: Network) -> None:
    seen = net.decode(full((0.9, 2, LEFT)))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:30, :40] = 2
    np.testing.assert_array_equal(seen.classes, expected)
    ((label, score, mask),) = seen.objects
    assert label == 2
    assert score == pytest.approx(0.9)
    np.testing.assert_array_equal(mask, expected > 0)


def test_an_outline_inside_the_box_is_kept(net: Network) -> None:
    outputs = full((0.9, 1, (0.25, 0.0, 0.75, 1.0)))
    rows, columns = np.indices((MASK_SIDE, MASK_SIDE)) - (MASK_SIDE - 1) / 2
    outputs[3][0, 0] = np.hypot(rows, columns) < MASK_SIDE / 2
    rows, columns = np.indices((HEIGHT, WIDTH)) + 0.5
    disc = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2) < HEIGHT / 2
    (found,) = net.decode(outputs).objects
    assert (found.mask & disc).sum() / (found.mask | disc).sum() > 0.95


def test_better_objects_lie_over_worse_ones_and_come_first(net: Network) -> None:
    seen = net.decode(full((0.5, 1, WIDE), (0.8, 2, LEFT)))
    assert [(o.class_id, int(o.mask.sum())) for o in seen.objects] == [(2, 800), (1, 1200)]
    assert (seen.classes[20, :40] == 2).all()
    assert (seen.classes[20, 40:] == 1).all()


def test_what_was_seen_twice_is_shown_once(net: Network) -> None:
    seen = net.decode(full((0.5, 1, LEFT), (0.8, 2, LEFT), (0.6, 1, RIGHT)))
    assert [o.class_id for o in seen.objects] == [2, 1]
    assert not (seen.objects[0].mask & seen.objects[1].mask).any()


@pytest.mark.parametrize("proposal", [(0.29, 1, LEFT), (0.9, 1, (0.3, 0.5, 0.3, 0.5)), (0.9, 1, (1.0, 1.0, 1.0, 1.0))])
def test_unlikely_and_empty_proposals_leave_no_trace(net: Network, proposal: Proposal) -> None:
    seen = net.decode(full(proposal))
    assert sum(int(o.mask.sum()) for o in seen.objects) <= 1
    assert (seen.classes > 0).sum() <= 1


def test_a_picture_without_proposals_is_background(net: Network) -> None:
    seen = net.decode(full((0.0, 1, LEFT)))
    assert isinstance(seen, Seen)
    assert seen.objects == ()
    assert not seen.classes.any()


def test_it_proposes_as_many_objects_as_it_is_told() -> None:
    scores, _, boxes, masks, size = archs.build("centermask", 2, width=0.5, proposals=5)(torch.randn(2, 3, 32, 64))
    assert scores.shape == (2, 5)
    assert (scores.diff(dim=1) <= 0).all()
    assert boxes.shape == (2, 5, 4)
    assert (boxes[..., :2] <= boxes[..., 2:]).all()
    assert masks.shape == (2, 5, MASK_SIDE, MASK_SIDE)
    assert size.tolist() == [[32, 64], [32, 64]]
    with pytest.raises(ValueError, match="proposals = 0: must be a whole number from 1 to 64"):
        archs.build("centermask", 2, proposals=0)


def test_a_hill_gives_one_proposal() -> None:
    """Places beside a peak have a score of their own, but none of them is an object."""
    torch.manual_seed(0)
    scores = archs.build("centermask", 2, width=0.5, proposals=64).eval()(torch.randn(1, 3, 32, 32))[0]
    assert 0 < (scores > 0).sum() <= 16  # of 8x8 places; two peaks are at least two places apart
