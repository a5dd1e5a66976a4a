"""Layers: the sizes that architectures rely on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.layers import InvertedResidual, channels, conv, stage


@given(st.integers(1, 512), st.floats(0.1, 4))
def test_channel_counts_are_multiples_of_eight_near_what_was_asked(base: int, width: float) -> None:
    count = channels(base, width)
    assert count % 8 == 0
    assert count >= 8
    assert abs(count - base * width) <= 8


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 6), (5, 2)])
def test_a_convolution_keeps_the_size(kernel: int, dilation: int) -> None:
    assert conv(4, 8, kernel, dilation=dilation)(torch.zeros(1, 4, 7, 9)).shape == (1, 8, 7, 9)


def test_a_stage_takes_its_stride_once() -> None:
    assert stage(8, 16, 3)(torch.zeros(1, 8, 12, 20)).shape == (1, 16, 6, 10)


def test_the_input_is_added_where_the_shapes_agree() -> None:
    same, other = InvertedResidual(8, 8).eval(), InvertedResidual(8, 16).eval()
    x = torch.randn(1, 8, 4, 4)
    torch.testing.assert_close(same(x), x + same.body(x))
    torch.testing.assert_close(other(x), other.body(x))
