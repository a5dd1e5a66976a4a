"""Network cameras against real servers: GStreamer's for RTSP, one of our own for HTTP."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig
from edge.errors import CameraError, CameraRefusedError, CameraStalledError, PictureError
from edge.frame import Shot
from edge.pictures.image import bgr
from edge.pictures.jpeg import Jpeg
from edge.pictures.planes import Planes
from edge.timeline import Timeline
from tests.brokers import free_port
from tests.rtsp import RtspServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.cameras import Camera


def make(source: str, **options: Any) -> Camera:
    return cameras.create(CameraConfig(source=source, first_frame_s=10, **options))


def shot_of(camera: Camera) -> Shot:
    shot = camera.read()
    assert isinstance(shot, Shot)
    return shot


def exhaust(camera: Camera, value: int | None = None) -> None:
    """Read until it fails; all pictures have the grey `value` if one is given."""
    while True:
        assert value in (None, round(float(bgr(shot_of(camera).picture).mean())))


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    with RtspServer() as running:
        yield running


@pytest.mark.parametrize(("name", "codec"), [("h264", "h264"), ("h265", "hevc"), ("mjpeg", "mjpeg")])
def test_every_usual_codec_gives_pictures_and_how_they_came_encoded(server: RtspServer, name: str, codec: str) -> None:
    with make(server.url(name)) as camera:
        shots = [shot_of(camera) for _ in range(4)]
    assert {shot.picture.shape for shot in shots} == {(240, 320, 3)}
    assert len({bgr(shot.picture).tobytes() for shot in shots}) > 1, "the ball moves"
    assert {type(shot.picture) for shot in shots} == {Jpeg if name == "mjpeg" else Planes}
    assert [shot.packet.codec for shot in shots if shot.packet] == [codec] * 4
    stamps = [shot.stamp_s for shot in shots if shot.stamp_s is not None]
    assert stamps == sorted(stamps)
    assert len(stamps) == 4


def test_pictures_of_a_reader_that_dawdles_are_known_to_be_old(server: RtspServer) -> None:
    timeline = Timeline()
    with make(server.url("h264")) as camera:
        for _ in range(10):
            timeline.place(shot_of(camera).stamp_s, time.monotonic())
        time.sleep(1.5)
        shot = shot_of(camera)
        now = time.monotonic()
    assert now - timeline.place(shot.stamp_s, now) > 1.0


def test_a_wrong_path_and_a_stream_without_video_are_one_helpful_line(server: RtspServer) -> None:
    with pytest.raises(CameraError, match=r"/nowhere: the camera has no stream of this name: mend the path$"):
        make(server.url("nowhere")).__enter__()
    with pytest.raises(CameraError, match="there is no video in this stream"):
        make(server.url("speech")).__enter__()


def test_what_can_not_be_decoded_and_what_is_not_encrypted_is_one_helpful_line(server: RtspServer) -> None:
    with pytest.raises(CameraError, match=r"/odd: its video can't be decoded: set the camera to H.264, H.265 or MJPEG"):
        make(server.url("odd")).__enter__()
    with pytest.raises(CameraError, match="no encrypted connection: does the camera speak rtsps"):
        make(server.url("h264").replace("rtsp:", "rtsps:")).__enter__()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rtsp://127.0.0.1:PORT/x", "refuses: is this the camera, and is it on"),
        ("rtsp://nobody.invalid/x", "no such host"),
        ("rtsp:///x", "names no host"),
        ("rtsp://127.0.0.1:99999/x", "mend the port"),
    ],
)
def test_an_address_where_nobody_is_is_one_helpful_line(source: str, said: str) -> None:
    with pytest.raises(CameraError, match=said) as caught:
        make(source.replace("PORT", str(free_port()))).__enter__()
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_told_apart_and_never_shown(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("s3:cr@t/\n", encoding="utf-8")
    wrong.write_text("letmein", encoding="utf-8")
    with RtspServer("viewer", "s3:cr@t/") as server:
        for options in ({}, {"username": "viewer", "password_file": wrong}):
            with pytest.raises(CameraRefusedError, match="user name or password is wrong") as caught:
                make(server.url("h264"), **options).__enter__()
            assert "letmein" not in str(caught.value)
        with make(server.url("h264"), username="viewer", password_file=right) as camera:
            shot_of(camera)


def test_a_server_that_is_killed_ends_the_stream_and_can_be_opened_again() -> None:
    with RtspServer() as server:
        camera = make(server.url("h264"))
        with camera:
            shot_of(camera)
            server.kill()
            with pytest.raises(CameraError, match=r"ended|nothing came"):
                exhaust(camera)
        server.start()
        with camera:
            shot_of(camera)


def test_a_server_that_freezes_is_given_up_within_the_time_agreed() -> None:
    with RtspServer() as server:
        camera = make(server.url("h264"), stall_s=1)
        with camera:
            shot_of(camera)
            server.freeze()
            with pytest.raises(CameraStalledError, match=r"nothing came for 1\.\d s"):
                exhaust(camera)
        server.thaw()
        with camera:
            shot_of(camera)


# --- HTTP

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1].tobytes()


@contextmanager
def serving(write: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            write(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/video"
        finally:
            http.shutdown()
            thread.join()


def multipart(*parts: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Give a handler that sends the parts and then stays silent until the other side goes."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for part in parts:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
            handler.wfile.write(head.encode() + part + b"\r\n")
        handler.wfile.write(b"--frame\r\n")
        handler.wfile.flush()
        handler.connection.settimeout(20)
        handler.connection.recv(1)

    return write


def test_motion_jpeg_over_http_is_read_as_it_came() -> None:
    pictures = [jpeg(value) for value in range(20, 220, 10)]
    with serving(multipart(*pictures)) as url, make(url) as camera:
        shots = [shot_of(camera) for _ in range(3)]
    first = round(float(bgr(shots[0].picture).mean())) // 10 - 2  # what came while it was opened is old
    assert [shot.packet.data for shot in shots if shot.packet] == pictures[first : first + 3]
    assert {shot.stamp_s for shot in shots} == {None}, "FFmpeg would make them up"


def test_a_jpeg_that_was_cut_off_is_told_and_the_next_is_read() -> None:
    with serving(multipart(*[jpeg(40)] * 10, jpeg(120)[:-40], jpeg(200), jpeg(90))) as url, make(url) as camera:
        with pytest.raises(PictureError, match="cut off"):
            exhaust(camera, 40)
        assert round(float(bgr(shot_of(camera).picture).mean())) == 200


def test_a_stream_that_falls_silent_is_given_up() -> None:
    with serving(multipart(*[jpeg(40)] * 10)) as url, make(url, stall_s=1) as camera, pytest.raises(CameraStalledError):
        exhaust(camera)


def test_a_playlist_that_points_to_a_file_is_not_followed() -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.apple.mpegurl")
        handler.send_header("Content-Length", str(len(PLAYLIST)))
        handler.end_headers()
        handler.wfile.write(PLAYLIST)

    with serving(write) as url, pytest.raises(CameraError) as caught:
        make(url).__enter__()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "password is wrong"), (404, "no stream of this name"), (503, "can't give this stream")]
)
def test_what_an_http_camera_refuses_is_one_helpful_line(status: int, said: str) -> None:
    with serving(lambda handler: handler.send_error(status)) as url, pytest.raises(CameraError, match=said):
        make(url).__enter__()
