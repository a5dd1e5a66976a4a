"""Pictures as decoders give them, and what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from edge.demo.appliance import PICTURES
from edge.picture import read_picture
from edge.pictures.planes import Planes
from tests import forms

if TYPE_CHECKING:
    from edge.picture import Picture
    from edge.pictures.planes import Matrix


@pytest.fixture(scope="module")
def leaf() -> Picture:
    return read_picture(PICTURES / "leaf-01.jpg")[:300, :400]


def swscale(picture: Picture, matrix: Matrix, *, full_range: bool) -> tuple[Planes, Picture]:
    """Let FFmpeg make planes, and colour them again."""
    space = Colorspace.ITU709 if matrix == "bt709" else Colorspace.ITU601
    reach = ColorRange.JPEG if full_range else ColorRange.MPEG
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=space, dst_color_range=reach)
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )
    back = frame.to_ndarray(format="bgr24", src_colorspace=space, src_color_range=reach, interpolation=forms.EXACTLY)
    return Planes(y=y, u=u, v=v, full_range=full_range, matrix=matrix), np.asarray(back, np.uint8)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_colours_are_those_that_ffmpeg_gives(
    leaf: Picture, matrix: Literal["bt601", "bt709"], full_range: object
) -> None:
    planes, expected = swscale(leaf, matrix, full_range=bool(full_range))
    off = np.abs(planes.bgr().astype(int) - expected)
    assert off.max() <= 1
    assert off.mean() < 0.2


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (1, 1), (2, 5)])
def test_any_size_makes_a_whole_picture(height: int, width: int) -> None:
    half = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    planes = Planes(y=np.full((height, width), 126, np.uint8), u=half, v=half)
    assert planes.shape == (height, width, 3)
    assert np.array_equal(planes.bgr(), np.full((height, width, 3), 128, np.uint8))


def test_a_part_is_what_the_whole_has_there(leaf: Picture) -> None:
    planes = forms.planes(leaf)
    rows, columns = np.array([0, 7, 8, 299]), np.arange(3, 400, 25)
    assert np.array_equal(planes.rows(rows), planes.bgr()[rows])
    assert np.array_equal(planes.points(rows, columns), planes.bgr()[rows][:, columns])


def test_a_rectangle_is_cut_without_copying(leaf: Picture) -> None:
    planes = forms.planes(leaf)
    part = planes.cut(10, 20, 101, 55)
    assert np.array_equal(part.bgr(), planes.bgr()[20:75, 10:111])
    assert np.shares_memory(part.y, planes.y)
    assert np.shares_memory(part.v, planes.v)


def test_a_copy_stays_when_the_decoder_uses_its_memory_again(leaf: Picture) -> None:
    planes = forms.planes(leaf)
    kept, before = planes.copy(), planes.bgr()
    for plane in (planes.y, planes.u, planes.v):
        plane[:] = 0
    assert np.array_equal(kept.bgr(), before)
