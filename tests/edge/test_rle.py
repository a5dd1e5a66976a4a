"""COCO run lengths, checked against the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from edge.rle import Rle, decode, encode, encode_runs, from_runs, runs_of


@given(
    pixels=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)),
    left=st.integers(0, 5),
    top=st.integers(0, 5),
    more=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_encoding_a_drawing_in_place_equals_encoding_the_whole_frame(
    pixels: np.ndarray, left: int, top: int, more: tuple[int, int]
) -> None:
    height, width = pixels.shape
    frame = np.zeros((top + height + more[0], left + width + more[1]), np.uint8)
    frame[top : top + height, left : left + width] = pixels
    rle = encode(pixels, left, top, frame.shape[1], frame.shape[0])
    assert rle.counts.encode() == coco.encode(np.asfortranarray(frame))["counts"]
    assert np.array_equal(decode(rle), frame)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)))
def test_many_masks_at_once_are_written_like_each_by_itself(numbered: np.ndarray) -> None:
    height, width = numbered.shape
    runs = [
        (owner, column * height + row, column * height + row + 1)
        for owner in range(1, 4)
        for column in range(width)
        for row in range(height)
        if numbered[row, column] == owner
    ]
    owner, begin, end = np.array(runs, np.intp).reshape(-1, 3).T
    found = encode_runs(owner, begin, end, width, height) if runs else []
    owners = sorted({owner for owner, _, _ in runs})
    assert found == [encode((numbered == owner).astype(np.uint8), 0, 0, width, height) for owner in owners]


def test_runs_are_written_as_differences() -> None:
    column = np.array([[0, 0, 1, 1, 1, 0, 1]], np.uint8).T  # runs 2 3 1 1; the last is 1 - 3 = -2
    assert encode(column, 0, 0, 1, 7).counts == "231N"


def test_a_frame_of_ones_and_a_frame_of_zeros() -> None:
    ones = np.ones((30, 50), np.uint8)
    assert decode(encode(ones, 0, 0, 50, 30)).all()
    assert not decode(encode(ones * 0, 0, 0, 50, 30)).any()


def test_large_frames_keep_their_run_lengths() -> None:
    frame = np.zeros((4000, 3000), np.uint8)
    frame[100:3900, 7] = 1
    rle = encode(frame[:, 5:10], 5, 0, 3000, 4000)
    assert rle.counts.encode() == coco.encode(np.asfortranarray(frame))["counts"]
    assert np.array_equal(decode(rle), frame)


@pytest.mark.parametrize("counts", ["", "~~~", "ooooooooooooo1", "5", "P", "\u00e9"])
def test_text_that_is_no_code_for_the_frame_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="run"):
        decode(Rle((2, 2), counts))


@given(pixels=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)))
def test_run_lengths_come_back_from_their_code(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    line = pixels.T.ravel()
    edges = np.flatnonzero(np.diff(line)) + 1
    runs = [0] * int(line[0]) + np.diff(edges, prepend=0, append=len(line)).tolist()
    rle = from_runs(runs, height, width)
    assert rle == encode(pixels, 0, 0, width, height)
    assert runs_of(rle).tolist() == runs


def test_more_runs_than_are_packed_at_once() -> None:
    runs = np.ones(600_000, np.int64)
    assert runs_of(from_runs(runs, 1000, 600)).tolist() == runs.tolist()


@pytest.mark.parametrize(
    "runs", [[], [3], [5, -1], [2.0, 2.0], [[4]], [2**62, 2**62, 2**62, 2**62 + 4], [2**70], ["4"]]
)
def test_numbers_that_are_no_run_lengths_of_the_frame_are_refused(runs: list[int]) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        from_runs(runs, 2, 2)


def test_a_code_far_longer_than_its_frame_is_not_even_unpacked() -> None:
    with pytest.raises(ValueError, match="1000000 characters is too long for 2x2"):
        decode(Rle((2, 2), "1" * 1_000_000))
