"""Boxes: how they agree, and what is cut out of maps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.boxes import agreement, crop

share = st.floats(0, 1, width=32)
box = st.tuples(share, share, share, share).map(
    lambda v: torch.tensor([min(v[0], v[1]), min(v[2], v[3]), max(v[0], v[1]), max(v[2], v[3])])
)


@given(box, box)
def test_agreement_is_mutual_and_generalised_iou_never_above_iou(one: torch.Tensor, other: torch.Tensor) -> None:
    there, back = agreement(one, other), agreement(other, one)
    assert there.iou == back.iou
    assert there.giou == back.giou
    assert 0 <= there.iou <= 1 + 1e-5
    assert -1 - 1e-5 <= there.giou <= there.iou + 1e-5


def test_known_pairs() -> None:
    base = torch.tensor([0.0, 0.0, 0.5, 0.5])
    others = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 1.0], [0.5, 0.5, 1.0, 1.0]])
    iou, giou = agreement(base.expand(3, -1), others)
    assert iou.tolist() == pytest.approx([1, 0.5, 0])
    assert giou.tolist() == pytest.approx([1, 0.5, -0.5])


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_the_whole_picture_is_the_map_itself(mode: str) -> None:
    maps = torch.randn(2, 3, 8, 8)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(2, 1, -1)
    torch.testing.assert_close(crop(maps, whole, 8, "nearest" if mode == "nearest" else "bilinear"), maps)


def test_boxes_are_cut_out_picture_by_picture_in_their_order() -> None:
    maps = torch.arange(32.0).view(2, 1, 4, 4)
    corners = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0]])
    found = crop(maps, corners.expand(2, -1, -1), 2)
    assert found.shape == (6, 1, 2, 2)
    assert found[0].flatten().tolist() == [0, 1, 4, 5]
    assert found[1].flatten().tolist() == [2, 3, 6, 7]
    assert found[2].flatten().tolist() == [8.5, 10.5, 12.5, 14.5]
    assert found[3].flatten().tolist() == [16, 17, 20, 21]


def test_outside_the_map_is_nothing() -> None:
    found = crop(torch.ones(1, 1, 4, 4), torch.tensor([[[0.5, 0.0, 1.5, 1.0]]]), 4)
    assert (found[0, 0, :, :2] == 1).all()
    assert not found[0, 0, :, 2:].any()


def test_no_boxes_give_nothing() -> None:
    assert crop(torch.ones(1, 3, 4, 4), torch.zeros(1, 0, 4), 2).shape == (0, 3, 2, 2)
