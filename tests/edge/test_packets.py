"""Shots out of video containers."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from edge.demo.appliance import PICTURES
from edge.errors import PictureError
from edge.frame import Shot
from edge.packets import shots
from edge.pictures.image import bgr
from edge.pictures.jpeg import Jpeg
from edge.pictures.planes import Planes
from tests.forms import EXACTLY

if TYPE_CHECKING:
    from pathlib import Path

    from edge.picture import Picture
    from edge.pictures.image import Image


def film(path: Path, *options: str, pictures: int = 3) -> Path:
    """Let ffmpeg make a video of a real picture."""
    program = shutil.which("ffmpeg")
    assert program is not None, "tests/install-system-parts brings it"
    source = ["-loop", "1", "-i", str(PICTURES / "leaf-01.jpg"), "-frames:v", str(pictures), "-vf", "scale=322:182"]
    subprocess.run([program, "-loglevel", "error", "-y", *source, *options, str(path)], check=True)
    return path


def read(path: Path) -> list[Shot]:
    with av.open(str(path)) as container:
        found = list(shots(container, container.streams.video[0], "film"))
    assert all(isinstance(shot, Shot) for shot in found)
    return [shot for shot in found if isinstance(shot, Shot)]


def by_ffmpeg(path: Path) -> Picture:
    with av.open(str(path)) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="bgr24", interpolation=EXACTLY), np.uint8)


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12")


@pytest.mark.parametrize(
    ("options", "matrix", "full_range"),
    [
        ((*H264, "-pix_fmt", "yuv420p"), "bt601", False),
        ((*H264, "-pix_fmt", "yuv420p", "-colorspace", "bt709"), "bt709", False),
        ((*H264, "-pix_fmt", "yuvj420p"), "bt601", True),
    ],
)
def test_planes_come_with_their_colours(
    tmp_path: Path, options: tuple[str, ...], matrix: str, full_range: object
) -> None:
    path = film(tmp_path / "film.mp4", *options)
    found = read(path)
    assert len(found) == 3
    picture = found[0].picture
    assert isinstance(picture, Planes)
    assert (picture.shape, picture.matrix, picture.full_range) == ((182, 322, 3), matrix, full_range)
    off = np.abs(picture.bgr().astype(int) - by_ffmpeg(path))
    assert off.max() <= 1


@pytest.mark.parametrize("form", ["yuv444p", "yuv420p10le", "gray"])
def test_what_are_no_planes_of_ours_is_converted(tmp_path: Path, form: str) -> None:
    picture = read(film(tmp_path / "film.mkv", "-c:v", "ffv1", "-pix_fmt", form))[0].picture
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (182, 322, 3)


def test_motion_jpeg_is_left_encoded(tmp_path: Path) -> None:
    found = read(film(tmp_path / "film.avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"))
    assert len(found) == 3
    for shot in found:
        assert isinstance(shot.picture, Jpeg)
        assert shot.packet is not None
        assert shot.picture.data == shot.packet.data


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_telephones_video_stands_upright(tmp_path: Path, turn: int) -> None:
    plain = film(tmp_path / "plain.mp4", *H264, "-pix_fmt", "yuv420p")
    turned = tmp_path / "turned.mp4"
    command = ["ffmpeg", "-loglevel", "error", "-y", "-i", str(plain), "-c", "copy"]
    subprocess.run([*command, "-metadata:s:v:0", f"rotate={turn}", str(turned)], check=True)
    seen = bgr(read(turned)[0].picture).astype(int)
    capture = cv2.VideoCapture(str(turned), cv2.CAP_FFMPEG)
    meant = capture.read()[1]
    capture.release()
    assert seen.shape == meant.shape == ((322, 182, 3) if turn % 180 else (182, 322, 3))
    assert np.abs(seen - meant).mean() < 3


def test_a_damaged_packet_costs_one_picture(tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xd8", data.index(b"\xff\xd8") + 2)
    data[at : at + 2] = b"\0\0"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        found: list[Image | Jpeg | PictureError] = [
            one.picture if isinstance(one, Shot) else one
            for one in shots(container, container.streams.video[0], "film")
        ]
    assert [isinstance(one, PictureError) for one in found] == [False, True, False]


def test_pictures_keep_their_memory_while_the_decoder_goes_on(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", *H264, "-pix_fmt", "yuv420p", pictures=40)
    with av.open(str(path)) as container:
        coming = shots(container, container.streams.video[0], "film")
        first = next(coming)
        assert isinstance(first, Shot)
        before = bgr(first.picture).copy()
        for _ in coming:
            pass
    assert np.array_equal(bgr(first.picture), before)
