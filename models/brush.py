"""Brush: the masks that Label Studio's brush leaves, packed as run lengths of RGBA values.

The form is that of rle-pack (github.com/thi-ng/umbrella): 32 bits with the number of words, 5 with their size less one,
four times 4 with the sizes of a length less one; then blocks: one bit that says whether a word is repeated, two that
choose the size of the length, the length less one, and the word, or as many words. Highest bits come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS = 4


class _Bits:
    """Reads numbers from packed bits. Raises ValueError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, bits: int) -> int:
        start, end = self._at, self._at + bits
        if end > 8 * len(self._data):
            raise ValueError("its brush strokes end before the picture does: the file was cut short")
        self._at = end
        return int.from_bytes(self._data[start // 8 : -(-end // 8)], "big") >> (-end % 8) & ((1 << bits) - 1)

    def words(self, count: int) -> NDArray[np.uint8]:
        """Read words of eight bits, wherever they begin."""
        start, end = self._at, self._at + 8 * count
        if end > 8 * len(self._data):
            raise ValueError("its brush strokes end before the picture does: the file was cut short")
        self._at = end
        pair = np.frombuffer(self._data[start // 8 : start // 8 + count + 1] + b"\0", np.uint8).astype(np.uint16)
        return ((pair[:count] << 8 | pair[1 : count + 1]) >> (8 - start % 8)).astype(np.uint8)


def unpack(data: bytes, height: int, width: int) -> NDArray[np.bool_]:
    """Draw what the brush touched, (H, W) bool: as Label Studio counts it, all that is not fully transparent.

    Raises:
        ValueError: cut short, or not of a picture of that size.
    """
    bits = _Bits(data)
    count, size = bits.number(32), bits.number(5) + 1
    lengths = [bits.number(4) + 1 for _ in range(4)]
    if count != CHANNELS * height * width or size != 8:
        raise ValueError(f"its brush strokes are {count} words of {size} bits, none of a picture of {width}x{height}")
    words, at = np.empty(count, np.uint8), 0
    while at < count:
        repeated = bits.number(1)
        end = at + 1 + bits.number(lengths[bits.number(2)])
        if end > count:
            raise ValueError("its brush strokes go on after the picture: the file is damaged")
        words[at:end] = bits.number(8) if repeated else bits.words(end - at)
        at = end
    return words.reshape(height, width, CHANNELS)[..., 3] > 0
