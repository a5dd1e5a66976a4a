"""Pictures as they came encoded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import PictureError
from edge.picture import decode_picture
from edge.pictures.jpeg import Jpeg, Reduced, open_jpeg
from tests import forms

SCENE = np.random.default_rng(1).integers(0, 256, (34, 50, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)  # 400x272
ENCODED = forms.jpeg(SCENE)


def opened(data: bytes = ENCODED) -> Jpeg:
    picture = open_jpeg(data, "camera")
    assert isinstance(picture, Jpeg)
    return picture


def test_its_size_is_known_before_it_is_decoded() -> None:
    assert opened().shape == (272, 400, 3)


def test_all_pixels_are_there_when_they_are_wanted() -> None:
    whole = decode_picture(np.frombuffer(ENCODED, np.uint8), "")
    assert np.array_equal(opened().bgr(), whole)
    assert np.array_equal(forms.reduced(SCENE, 100, 60).bgr(), whole)


@pytest.mark.parametrize(
    ("wanted", "decoded"),
    [((50, 34), (50, 34)), ((51, 34), (100, 68)), ((100, 68), (100, 68)), ((100, 69), (200, 136))],
)
def test_no_more_is_decoded_than_is_wanted(wanted: tuple[int, int], decoded: tuple[int, int]) -> None:
    seen = opened().reduced(*wanted)
    assert isinstance(seen, Reduced)
    assert seen.small.shape == (decoded[1], decoded[0], 3)
    assert seen.shape == (272, 400, 3)


@pytest.mark.parametrize("wanted", [(201, 136), (200, 137), (4000, 10), (0, 0)])
def test_what_is_wanted_large_is_decoded_whole(wanted: tuple[int, int]) -> None:
    assert isinstance(opened().reduced(*wanted), np.ndarray)


def test_a_telephones_picture_is_decoded_at_once_and_not_turned() -> None:
    exif = (
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: lying on its side
    )
    data = ENCODED[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + ENCODED[2:]
    picture = open_jpeg(data, "telephone")
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (272, 400, 3)


def test_a_claim_of_gigabytes_is_refused_before_anything_is_decoded() -> None:
    at = ENCODED.index(b"\xff\xc0") + 5
    with pytest.raises(PictureError, match=r"^camera: 65535x65535 pixels: at most"):
        open_jpeg(ENCODED[:at] + b"\xff\xff\xff\xff" + ENCODED[at + 4 :], "camera")


@pytest.mark.parametrize("data", [b"", b"nothing", ENCODED[:-40]])
def test_what_is_empty_foreign_or_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"^camera: "):
        open_jpeg(data, "camera")


@given(st.integers(2, len(ENCODED) - 64), st.binary(min_size=1, max_size=8))
def test_damage_costs_the_picture_and_nothing_else(at: int, damage: bytes) -> None:
    data = ENCODED[:at] + damage + ENCODED[at + len(damage) :]
    try:
        picture = open_jpeg(data, "camera")
        seen = picture.reduced(50, 34) if isinstance(picture, Jpeg) else picture
    except PictureError:
        return
    assert len(seen.shape) == 3
