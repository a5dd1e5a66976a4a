"""What every camera must do, whatever its scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig
from edge.cameras import Camera, Nothing
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.pictures.image import bgr
from edge.source import SCHEMES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 60 + 60 * number, np.uint8))
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(3):
        writer.write(np.full((48, 64, 3), 60 + 60 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 10, width=64, height=48, pix_fmt="yuv420p")
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + 60 * number, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(params=["folder", "video", "film", "belt", "synthetic"])
def source(request: pytest.FixtureRequest, pictures: Path, video: Path, film: Path) -> str:
    return {
        "folder": f"file:{pictures}",
        "video": f"file:{video}",
        "film": f"file:{film}",
        "belt": f"belt:{pictures}",
        "synthetic": "synthetic:plain,red,plain",
    }[request.param]


ELSEWHERE = ("genicam", "picamera2", "push", "stream", "v4l2", "watch")
"""Members with real other sides, in tests/edge/cameras."""


def make(source: str, **options: Any) -> Camera:
    return cameras.create(CameraConfig(source=source, **options))


def test_every_scheme_has_a_case_here_or_needs_a_device() -> None:
    assert set(SCHEMES.values()) == {"file", "belt", "synthetic", *ELSEWHERE}


def test_pictures_of_every_form_become_bgr_bytes_of_the_size_they_tell(source: str) -> None:
    with make(source) as camera:
        for _ in range(3):
            shot = camera.read()
            assert isinstance(shot, Shot)
            picture = bgr(shot.picture)
            assert picture.dtype == np.uint8
            assert picture.shape == shot.picture.shape == (*picture.shape[:2], 3)


def test_a_picture_that_is_kept_does_not_change_while_others_are_read(source: str) -> None:
    with make(source, loop=True) as camera:
        shots = [camera.read() for _ in range(2)]
        before = [bgr(shot.picture).copy() for shot in shots if isinstance(shot, Shot)]
        for _ in range(12):
            camera.read()
        assert all(
            np.array_equal(bgr(shot.picture), was)
            for shot, was in zip(shots, before, strict=True)
            if isinstance(shot, Shot)
        )


def test_a_source_that_ends_says_so_or_goes_round(source: str) -> None:
    with make(source) as camera:
        read = [isinstance(camera.read(), Shot) for _ in range(4)]
    assert read == [True, True, True, source.startswith("belt:")]
    with make(source, loop=True) as camera:
        assert all(isinstance(camera.read(), Shot) for _ in range(7))


def test_a_camera_can_be_opened_again(source: str) -> None:
    camera = make(source)
    for _ in range(2):
        with camera:
            assert isinstance(camera.read(), Shot)


@pytest.mark.parametrize("scheme", ["file", "belt", "v4l2"])
def test_a_place_that_is_not_there_is_one_helpful_line(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError) as caught, make(f"{scheme}:{tmp_path}/none"):
        pass
    assert str(tmp_path / "none") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_one_helpful_line(tmp_path: Path) -> None:
    for scheme in ("file", "belt"):
        with pytest.raises(CameraError, match="has no pictures"), make(f"{scheme}:{tmp_path}"):
            pass


def test_a_file_that_is_no_video_is_one_helpful_line(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(CameraError, match="can't be decoded"), make(f"file:{tmp_path}/x.mp4"):
        pass


def test_an_unreadable_picture_does_not_end_the_folder(pictures: Path) -> None:
    (pictures / "1.png").write_bytes(b"damaged")
    with make(f"file:{pictures}") as camera:
        assert isinstance(camera.read(), Shot)
        with pytest.raises(PictureError, match="not a picture"):
            camera.read()
        assert isinstance(camera.read(), Shot)
        assert camera.read() is Nothing.MORE


@pytest.mark.parametrize("source", ["", "rtsp", "gopher:x", "file:", "concat:a|b", "pipe:0", "tcp://h:1", "file:a\nb"])
def test_a_source_outside_the_list_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="must be SCHEME:PLACE"):
        make(source)
