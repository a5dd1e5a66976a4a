"""V4L2 as far as it goes without a device; with one, `tests/vm/guest/test_v4l2.py` shows it: `make test-vm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge import cameras
from edge.camera_config import CameraConfig
from edge.errors import CameraError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_device_that_is_not_there_is_one_helpful_line() -> None:
    with pytest.raises(CameraError, match=r"^/dev/video99: does not exist: plug the camera in"):
        cameras.create(CameraConfig(source="v4l2:/dev/video99")).__enter__()


def test_a_file_that_is_no_camera_is_one_helpful_line(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"")
    with pytest.raises(CameraError, match="can't be opened as a camera"):
        cameras.create(CameraConfig(source=f"v4l2:{tmp_path}/video0")).__enter__()
