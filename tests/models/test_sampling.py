"""Sampling: every chance is seeded, rare classes come often, cuts hold what they were cut for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from edge.region import Box
from models.example import Example, Spot
from models.sampling import Plan, Stock, Visit, cut_anywhere, cut_around, draw_shares, epoch_order

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESENCE = [frozenset[int]()] * 90 + [frozenset({1})] * 8 + [frozenset({1, 2})] * 2
EVEN = draw_shares(PRESENCE, 0.0)


def plan(shares: np.ndarray, **more: int) -> Plan:
    return Plan(**{"shares": shares, "seed": 1, "epochs": 3, "batch": 8} | more)  # type: ignore[arg-type]


def test_without_balance_each_picture_comes_once() -> None:
    assert sorted(visit.picture for visit in epoch_order(EVEN, 1, 1)) == list(range(100))


def test_the_order_is_the_one_of_torchs_loader() -> None:
    pictures = torch.utils.data.TensorDataset(torch.arange(100))
    loader: DataLoader[Sequence[torch.Tensor]] = DataLoader(
        pictures, shuffle=True, generator=torch.Generator().manual_seed(7 * 100_003 + 3)
    )
    assert [visit.picture for visit in epoch_order(EVEN, 7, 3)] == [int(batch[0]) for batch in loader]


def test_full_balance_shows_each_class_as_often() -> None:
    shares = draw_shares(PRESENCE, 1.0)
    assert shares.sum() == pytest.approx(1)
    drawn = Counter(visit.picture for epoch in range(1, 31) for visit in epoch_order(shares, 1, epoch))
    nothing = sum(count for index, count in drawn.items() if index < 90)
    rare = sum(count for index, count in drawn.items() if index >= 98)
    assert nothing == pytest.approx(1000, rel=0.05)  # one of three groups: nothing, class 1, class 2
    assert rare == pytest.approx(30 * 100 * (1 / 3 + 2 / 30), rel=0.05)


@given(st.floats(0, 1))
def test_balance_mixes_between_pictures_and_classes(balance: float) -> None:
    mixed = (1 - balance) * EVEN + balance * draw_shares(PRESENCE, 1.0)
    assert np.allclose(draw_shares(PRESENCE, balance), mixed)


def test_a_picture_seen_again_is_bent_in_another_way() -> None:
    order = epoch_order(draw_shares(PRESENCE, 1.0), 1, 1)
    assert len(set(order)) == len(order) == 100
    again = [visit for visit in order if visit.again]
    assert again
    assert again[0].rng(1).random() != Visit(1, again[0].picture, 0).rng(1).random()


def test_a_plan_from_the_middle_is_the_rest_of_the_whole() -> None:
    whole = list(plan(EVEN))
    assert len(whole) == len(plan(EVEN)) == 3 * 13
    assert list(plan(EVEN, first_step=17)) == whole[17:]


@given(st.integers(1, 60), st.integers(1, 16))
def test_batches_are_nearly_equal(pictures: int, batch: int) -> None:
    sizes = [len(visits) for visits in plan(np.full(pictures, 1 / pictures), batch=batch, epochs=1)]
    assert sum(sizes) == pictures
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1


def test_processes_share_each_batch() -> None:
    parts = [list(plan(EVEN, rank=rank, processes=3)) for rank in range(3)]
    for whole, *shared in zip(plan(EVEN), *parts, strict=True):
        assert len({len(part) for part in shared}) == 1
        assert {visit for part in shared for visit in part} == set(whole)


def test_rare_classes_are_picked_as_often_as_common_ones() -> None:
    box = Box(0, 0, 1, 1)
    stock = Stock([[Spot(1, n, box) for n in range(50)], [Spot(1, 1, box)], [Spot(2, 1, box)]])
    rng = np.random.default_rng(1)
    picked = Counter((index, spot.class_id) for index, spot in (stock.pick(rng) for _ in range(2000)))
    assert picked[2, 2] == pytest.approx(1000, rel=0.1)
    assert picked[0, 1] == pytest.approx(500, rel=0.15)  # many objects on one picture don't crowd out the other


def test_nothing_marked_is_an_empty_stock() -> None:
    assert not Stock([[], []])


@given(st.integers(0, 10_000), st.floats(0.1, 1.0))
def test_a_cut_lies_in_the_picture_and_holds_a_pixel_of_its_object(seed: int, side: float) -> None:
    objects = np.zeros((40, 60), np.uint16)
    objects[3:6, 50:60] = 5
    example = Example(np.zeros((40, 60, 3), np.uint8), (objects > 0).astype(np.uint8), objects)
    cut = cut_around(example, Spot(1, 5, Box(50, 3, 10, 3)), (side, side), np.random.default_rng(seed))
    assert (cut.width, cut.height) == (max(1, round(side * 60)), max(1, round(side * 40)))
    assert 0 <= cut.x <= 60 - cut.width
    assert 0 <= cut.y <= 40 - cut.height
    assert (objects[cut.y : cut.y + cut.height, cut.x : cut.x + cut.width] == 5).any()


@given(st.integers(0, 10_000))
def test_a_cut_anywhere_lies_inside_and_has_the_share_that_was_asked_for(seed: int) -> None:
    blank = np.zeros((40, 60), np.uint16)
    example = Example(np.zeros((40, 60, 3), np.uint8), blank.astype(np.uint8), blank)
    cut = cut_anywhere(example, (0.5, 0.25), np.random.default_rng(seed))
    assert (cut.width, cut.height) == (30, 10)
    assert 0 <= cut.x <= 30
    assert 0 <= cut.y <= 30
