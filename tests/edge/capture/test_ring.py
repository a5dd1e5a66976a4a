"""The last seconds as they came encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from edge.capture.ring import Kept, Ring, write_video
from edge.errors import CameraError
from edge.frame import Packet
from tests.rtsp import RtspServer

if TYPE_CHECKING:
    from pathlib import Path


def kept(at: float, *, key: bool = True, value: int = 0) -> Kept:
    data = cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1].tobytes()
    return Kept(at, Packet(codec="mjpeg", data=data, key=key, width=64, height=48))


def test_the_oldest_go_when_time_or_memory_runs_out() -> None:
    by_time, by_memory = Ring(keep_s=2, most_bytes=1 << 20), Ring(keep_s=60, most_bytes=3000)
    for number in range(10):
        by_time.add(kept(float(number)))
        by_memory.add(kept(float(number)))
    assert [one.at_mono_s for one in by_time.cut(0, 99)] == [7, 8, 9]
    assert sum(len(one.packet.data) for one in by_memory.cut(0, 99)) <= 3000


def test_a_cut_begins_with_a_picture_that_can_be_decoded_by_itself() -> None:
    ring = Ring(keep_s=60, most_bytes=1 << 20)
    for number in range(10):
        ring.add(kept(float(number), key=number % 4 == 0))
    assert [one.at_mono_s for one in ring.cut(6, 8)] == [4, 5, 6, 7, 8]


def test_pictures_become_a_video_without_being_encoded_again(tmp_path: Path) -> None:
    pictures = [kept(5 + 0.2 * number, value=40 + 20 * number) for number in range(6)]
    write_video(pictures, tmp_path / "a" / "clip.mp4")
    with av.open(str(tmp_path / "a" / "clip.mp4")) as video:
        packets = [bytes(packet) for packet in video.demux(video=0) if packet.size]
    assert packets == [one.packet.data for one in pictures]
    with av.open(str(tmp_path / "a" / "clip.mp4")) as video:
        frames = [
            (round(frame.time, 3), round(float(frame.to_ndarray(format="gray").mean())))
            for frame in video.decode(video=0)
        ]
    assert [at for at, _ in frames] == [0, 0.2, 0.4, 0.6, 0.8, 1.0][: len(frames)]
    assert len(frames) >= 5


def test_what_a_network_camera_encoded_can_be_played(tmp_path: Path) -> None:
    from edge import cameras
    from edge.camera_config import CameraConfig
    from edge.frame import Shot

    with RtspServer() as server, cameras.create(CameraConfig(source=server.url("h264"))) as camera:
        ring = Ring(keep_s=60, most_bytes=1 << 24)
        for number in range(30):
            shot = camera.read()
            assert isinstance(shot, Shot)
            assert shot.packet is not None
            ring.add(Kept(0.05 * number, shot.packet))
    write_video(ring.cut(0, 99), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert len(list(video.decode(video=0))) >= 25


def test_nothing_to_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no encoded picture was kept"):
        write_video([], tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []
