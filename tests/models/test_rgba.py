"""Masks that are pictures: decoded only where they fit."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from models.rgba import from_base64, read_rgba

if TYPE_CHECKING:
    from pathlib import Path


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_eight_bits_becomes_rgba(mode: str) -> None:
    assert read_rgba(png(Image.new(mode, (3, 2))), 2, 3).shape == (2, 3, 4)


def test_sixteen_bits_are_refused_since_they_would_be_cut() -> None:
    with pytest.raises(ValueError, match="of the kind I;16: eight bits"):
        read_rgba(png(Image.fromarray(np.zeros((2, 3), np.uint16))), 2, 3)


def test_another_size_is_refused_before_anything_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 9000, 9000, 8, 6, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10**6) + b"IDAT"
    with pytest.raises(ValueError, match="its mask is 9000x9000, its picture 3x2"):
        read_rgba(bomb, 2, 3)


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_picture_too_large_for_anybody_is_refused(side: int) -> None:
    with pytest.raises(ValueError, match=f"its picture has {side * side} pixels: at most 64000000 are accepted"):
        read_rgba(b"", side, side)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(png(Image.effect_noise((64, 64), 50))[:-500])
    with pytest.raises(ValueError, match="not a PNG that can be read"):
        read_rgba(path, 64, 64)


@pytest.mark.parametrize("before", ["", "data:image/png;base64,"])
def test_base64_is_read_with_and_without_its_header(before: str) -> None:
    assert from_base64(before + base64.b64encode(b"abc").decode()) == b"abc"


@pytest.mark.parametrize("text", ["%%%%", "abc", "é"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64 text"):
        from_base64(text)
