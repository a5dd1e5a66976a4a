"""Brush strokes of Label Studio: what was packed comes back, what was cut short does not."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.brush import unpack


def pack(alpha: np.ndarray, lengths: tuple[int, ...] = (3, 4, 8, 16), literal: int = 1) -> bytes:
    """Pack an alpha plane as Label Studio does; runs of up to `literal` words are written out in full."""
    words = np.stack([alpha // 3, alpha // 2, alpha, alpha], axis=2).ravel().tolist()
    bits = f"{len(words):032b}{8 - 1:05b}" + "".join(f"{length - 1:04b}" for length in lengths)
    runs = [(value, len(list(group))) for value, group in groupby(words)]
    while runs:
        out = list[int]()
        while runs and runs[0][1] <= literal and len(out) < 2 ** lengths[0] - literal:
            value, count = runs.pop(0)
            out += [value] * count
        if out:
            bits += f"000{len(out) - 1:0{lengths[0]}b}" + "".join(f"{value:08b}" for value in out)
            continue
        value, count = runs.pop(0)
        choice = next((i for i, length in enumerate(lengths) if count <= 2**length), len(lengths) - 1)
        now = min(count, 2 ** lengths[choice])
        bits += f"1{choice:02b}{now - 1:0{lengths[choice]}b}{value:08b}"
        if count > now:
            runs.insert(0, (value, count - now))
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@given(
    alpha=arrays(
        np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 0, 1, 128, 255])
    ),
    lengths=st.tuples(*[st.integers(2, 16)] * 4).map(lambda sizes: tuple(sorted(sizes))),
    literal=st.integers(0, 3),
)
def test_what_was_packed_comes_back(alpha: np.ndarray, lengths: tuple[int, ...], literal: int) -> None:
    assert np.array_equal(unpack(pack(alpha, lengths, literal), *alpha.shape), alpha > 0)


def test_a_small_stroke_with_a_hole_on_a_large_picture_comes_back() -> None:
    alpha = np.zeros((300, 400), np.uint8)
    alpha[50:65, 60:90] = 255
    alpha[55:60, 70:80] = 0
    assert np.array_equal(unpack(pack(alpha), 300, 400), alpha > 0)


def test_a_stroke_as_the_documented_form_has_it() -> None:
    # 8 words of 8 bits, lengths of 3, 4, 8 and 16 bits; four times 0, then four words 1 2 3 255
    bits = f"{8:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    bits += "1" + "00" + "011" + f"{0:08b}" + "0" + "00" + "011" + "".join(f"{v:08b}" for v in (1, 2, 3, 255))
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert unpack(data, 1, 2).tolist() == [[False, True]]


@given(cut=st.integers(1, 30))
def test_strokes_cut_short_are_refused(cut: int) -> None:
    data = pack(np.arange(64, dtype=np.uint8).reshape(8, 8))
    with pytest.raises(ValueError, match="end before the picture does"):
        unpack(data[:-cut], 8, 8)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="cut short"):
        unpack(b"", 8, 8)


@pytest.mark.parametrize("size", [(4, 4), (10**9, 10**9), (8, 9)])
def test_strokes_of_another_picture_are_refused_before_memory_is_taken(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"256 words of 8 bits, none of a picture of {size[1]}x{size[0]}"):
        unpack(pack(np.zeros((8, 8), np.uint8)), *size)


def test_strokes_beyond_the_picture_are_refused() -> None:
    data = bytearray(pack(np.zeros((2, 2), np.uint8)))
    data[3] = 4  # four words are promised, sixteen come
    with pytest.raises(ValueError, match="go on after the picture"):
        unpack(bytes(data), 1, 1)
