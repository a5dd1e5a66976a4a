"""A folder that is written while it is watched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig
from edge.cameras import Nothing
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.pictures.image import bgr

if TYPE_CHECKING:
    from pathlib import Path

    from edge.cameras import Camera


def png(value: int) -> bytes:
    return cv2.imencode(".png", np.full((48, 64, 3), value, np.uint8))[1].tobytes()


def watch(folder: Path) -> Camera:
    return cameras.create(CameraConfig(source=f"watch:{folder}"))


def next_shot(camera: Camera) -> Shot:
    for _ in range(30):
        shot = camera.read()
        if isinstance(shot, Shot):
            return shot
    pytest.fail("no picture came")


def test_what_comes_into_the_folder_is_read_once_and_put_away(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(50))
    with watch(tmp_path) as camera:
        assert int(bgr(next_shot(camera).picture)[0, 0, 0]) == 50
        assert camera.read() is Nothing.YET
        (tmp_path / "b.png").write_bytes(png(90))
        assert int(bgr(next_shot(camera).picture)[0, 0, 0]) == 90
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["a.png", "b.png"]


def test_a_picture_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    data = png(70)
    written = threading.Event()

    def write() -> None:
        with (tmp_path / "slow.png").open("wb") as file:
            for at in range(0, len(data), len(data) // 8):
                file.write(data[at : at + len(data) // 8])
                file.flush()
                written.wait(0.1)

    writer = threading.Thread(target=write)
    with watch(tmp_path) as camera:
        writer.start()
        assert int(bgr(next_shot(camera).picture)[0, 0, 0]) == 70
    writer.join()


def test_a_damaged_picture_is_told_and_put_aside(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(50)[:60])
    with watch(tmp_path) as camera:
        with pytest.raises(PictureError, match=r"a\.png"):
            next_shot(camera)
        assert camera.read() is Nothing.YET
    assert (tmp_path / "damaged" / "a.png").exists()


def test_a_folder_that_is_not_there_is_one_helpful_line(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="give a folder that exists"):
        watch(tmp_path / "none").__enter__()
