from __future__ import annotations

from typing import TYPE_CHECKING

from edge.source import is_video

if TYPE_CHECKING:
    from pathlib import Path


def test_video_is_what_comes_over_the_network_and_files_that_are_no_folders(tmp_path: Path) -> None:
    assert is_video("rtsp://camera/main")
    assert is_video(f"file:{tmp_path}/clip.mp4")
    assert not is_video(f"file:{tmp_path}")
    assert not is_video("v4l2:/dev/video0")
