"""RLE: binary masks as COCO compressed run lengths, written and read without a mask library.

The format is that of cocoapi's maskApi.c: runs of 0 and 1 in column-major order, zeros first; each run after the third
as its difference to the one before the last; each number in groups of five bits, lowest first, as characters from 48,
the sixth bit saying that more follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUPS = 8
"""Five bits each: enough for any run of a picture of 2^39 pixels."""

_PACKED_AT_ONCE = 1 << 18
"""Runs; each takes some 200 bytes while it is packed."""

Pixels = NDArray[np.uint8]
"""(H, W) uint8 of 0 and 1."""


class Rle(NamedTuple):
    """A binary mask of a whole frame."""

    size: tuple[int, int]  # height, width
    counts: str


def encode(pixels: Pixels, left: int, top: int, frame_width: int, frame_height: int) -> Rle:
    """Encode a drawing that lies at (left, top) on an otherwise empty frame; no mask of the frame is made."""
    height, width = pixels.shape
    columns = np.zeros((width, height + 1), np.uint8)  # one after the other, a zero after each
    columns[:, :-1] = pixels.T
    line = columns.ravel()
    column, row = np.divmod(np.flatnonzero(line[1:] != line[:-1]) + 1, height + 1)
    edges = (column + left) * frame_height + row + top
    if line[0]:
        edges = np.insert(edges, 0, left * frame_height + top)
    if height == frame_height:  # a run may go on at the top of the next column: it ends and begins at one edge
        edges, times = np.unique(edges, return_counts=True)
        edges = edges[times == 1]
    runs = np.diff(edges, prepend=0, append=frame_width * frame_height)
    return Rle((frame_height, frame_width), _pack(runs[: len(runs) - (runs[-1] == 0)]))


def decode(rle: Rle) -> Pixels:
    """Draw the mask. Raises ValueError as `runs_of` does."""
    height, width = rle.size
    runs = runs_of(rle)
    values = np.resize(np.array([0, 1], np.uint8), len(runs))
    return np.repeat(values, runs).reshape(width, height).T


def runs_of(rle: Rle) -> NDArray[np.int64]:
    """Give the run lengths, zeros first.

    Raises:
        ValueError: the runs do not fill the frame, or the text is no run-length code.
    """
    height, width = rle.size
    if len(rle.counts) > 2 * height * width + 2 * _GROUPS:
        raise ValueError(f"a run-length code of {len(rle.counts)} characters is too long for {width}x{height}")
    return _filling(_unpack(rle.counts), height, width)


def from_runs(runs: Sequence[int] | NDArray[np.int64], height: int, width: int) -> Rle:
    """Encode run lengths, zeros first: COCO's uncompressed form.

    Raises:
        ValueError: no whole numbers, or they do not fill the frame.
    """
    numbers = np.asarray(runs)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError("run lengths must be whole numbers")
    return Rle((height, width), _pack(_filling(numbers.astype(np.int64), height, width)))


def _filling(runs: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    frame = height * width
    if (runs < 0).any() or (runs > frame).any() or runs.sum() != frame:  # a run too long could hide by overflow
        raise ValueError(f"run lengths do not fill a mask of {width}x{height}")
    return runs


def encode_runs(
    owner: NDArray[np.integer], begin: NDArray[np.intp], end: NDArray[np.intp], frame_width: int, frame_height: int
) -> list[Rle]:
    """Encode many masks of one frame at once, from the runs of ones of each.

    Args:
        owner: to which mask a run belongs, (n,), ascending.
        begin: the run's first pixel, counted down the columns; ascending within a mask, overlapping nowhere.
        end: the first pixel after it.
        frame_width: of the masks.
        frame_height: of the masks.
    """
    changes = owner[1:] != owner[:-1]
    apart = changes | (begin[1:] != end[:-1])
    if not apart.all():  # others go on at the top of the next column
        begin, end, changes = begin[np.append(True, apart)], end[np.append(apart, True)], changes[apart]
    last = np.append(np.flatnonzero(changes), len(begin) - 1)  # run of each mask
    counts = last.copy()
    counts[0] += 1
    counts[1:] -= last[:-1]
    lengths = 2 * counts + 1
    stops = lengths.cumsum()
    starts = stops - lengths
    before = np.append(0, end[:-1])
    before[last[:-1] + 1] = 0
    place = 2 * np.arange(len(begin)) + np.repeat(np.arange(len(counts)), counts)
    runs = np.empty(int(stops[-1]), np.int64)
    runs[place], runs[place + 1] = begin - before, end - begin
    runs[stops - 1] = frame_width * frame_height - end[last]
    numbers = runs.copy()
    numbers[2:] -= runs[:-2]
    early = np.add.outer((0, 1, 2), starts)
    numbers[early] = runs[early]
    ends, text = _characters(numbers)
    begins = ends[starts - 1]
    begins[0] = 0
    until = ends[stops - 1 - (runs[stops - 1] == 0)]  # no zeros after the last ones: nothing is written
    size = frame_height, frame_width
    return [Rle(size, text[start:stop]) for start, stop in zip(begins.tolist(), until.tolist(), strict=True)]


def _pack(runs: NDArray[np.int64]) -> str:
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    return "".join(
        _characters(numbers[start : start + _PACKED_AT_ONCE])[1] for start in range(0, len(numbers), _PACKED_AT_ONCE)
    )


def _characters(numbers: NDArray[np.int64]) -> tuple[NDArray[np.intp], str]:
    """Write numbers; give where each one's characters end, and all of them."""
    longer, rest = [], numbers  # those that have a first, second, ... further group, and what is left of them
    going = np.arange(len(numbers))
    sizes = np.ones(len(numbers), np.intp)
    while True:
        more = np.flatnonzero((rest < -16) | (rest > 15))
        if not len(more):
            break
        going, rest = going[more], rest[more] >> 5
        sizes[going] += 1
        longer.append((going, rest))
    ends = sizes.cumsum()
    begins = ends - sizes
    text = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    text[begins] = (numbers & 31) + 48
    for place, (going, rest) in enumerate(longer):
        at = begins[going] + place
        text[at] += 32  # more follows
        text[at + 1] = (rest & 31) + 48
    return ends, str(text.data, "ascii")


def _unpack(text: str) -> NDArray[np.int64]:
    code = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not len(code) or (code < 0).any() or (code > 63).any() or code[-1] & 32:
        raise ValueError("not a COCO run-length code")
    ends = np.flatnonzero((code & 32) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if int(lengths.max()) > _GROUPS:
        raise ValueError("not a COCO run-length code: a run is too long")
    place = np.arange(len(code)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((code & 31) << (5 * place), starts)
    numbers -= np.where(code[ends] & 16, np.int64(1) << (5 * lengths), 0)  # the highest bit is the sign
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
