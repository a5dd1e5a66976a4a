"""Pictures that others send, over real HTTP and a real broker."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from edge import cameras
from edge.camera_config import CameraConfig
from edge.cameras import Nothing
from edge.config import MqttConfig
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.mqtt.broker import Message
from edge.pictures.image import bgr
from tests.brokers import Mosquitto, free_port, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.cameras import Camera


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1].tobytes()


def next_shot(camera: Camera) -> Shot:
    for _ in range(40):
        shot = camera.read()
        if isinstance(shot, Shot):
            return shot
    pytest.fail("no picture came")


def claim(url: str, length: int) -> int:
    """Announce a body, send none, and give the answer's code."""
    where = httpx.URL(url)
    connection = HTTPConnection(where.host, where.port, timeout=10)
    connection.putrequest("POST", where.path)
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def url() -> str:
    return f"http://127.0.0.1:{free_port()}/table"


@pytest.fixture
def camera(url: str) -> Iterator[Camera]:
    with cameras.create(CameraConfig(source=f"push:{url}")) as opened:
        yield opened


def test_a_posted_picture_is_read_and_the_sender_told(camera: Camera, url: str) -> None:
    assert httpx.post(url, content=jpeg(90)).status_code == 204
    shot = next_shot(camera)
    assert round(float(bgr(shot.picture).mean())) == 90
    assert shot.packet is not None
    assert shot.packet.data == jpeg(90)
    assert camera.read() is Nothing.YET


def test_a_damaged_picture_is_told_to_both_sides(camera: Camera, url: str) -> None:
    answer = httpx.post(url, content=jpeg(90)[:-30])
    assert answer.status_code == 400
    assert "cut off" in answer.text
    with pytest.raises(PictureError, match="cut off"):
        next_shot(camera)


def test_a_sender_that_is_too_quick_is_asked_to_come_again(camera: Camera, url: str) -> None:
    codes = [httpx.post(url, content=jpeg(90)).status_code for _ in range(6)]
    assert codes == [204, 204, 204, 204, 503, 503]
    next_shot(camera)
    assert httpx.post(url, content=jpeg(90)).status_code == 204


def test_what_is_no_picture_for_us_is_refused(camera: Camera, url: str) -> None:
    assert httpx.post(f"{url}/x", content=jpeg(90)).status_code == 404
    assert httpx.get(url).status_code == 501
    assert claim(url, 99_999_999_999) == 413


def test_senders_that_fall_silent_do_not_keep_others_out(camera: Camera, url: str) -> None:
    port = int(url.split(":")[2].split("/", maxsplit=1)[0])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
    assert httpx.post(url, content=jpeg(90), timeout=10).status_code == 204
    for one in silent:
        one.close()


def test_a_password_is_asked_for(tmp_path: Path, url: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass\n", encoding="utf-8")
    config = CameraConfig(source=f"push:{url}", username="u", password_file=secret)
    with cameras.create(config) as camera:
        assert httpx.post(url, content=jpeg(90)).status_code == 401
        assert httpx.post(url, content=jpeg(90), auth=("u", "wrong")).status_code == 401
        assert httpx.post(url, content=jpeg(90), auth=("u", "pass")).status_code == 204
        next_shot(camera)


def test_an_address_that_others_reach_needs_a_password() -> None:
    with pytest.raises(CameraError, match="give username and password_file"):
        cameras.create(CameraConfig(source=f"push:http://0.0.0.0:{free_port()}/table")).__enter__()


def test_a_taken_port_is_one_helpful_line(camera: Camera, url: str) -> None:
    with pytest.raises(CameraError, match="choose another address or port"):
        cameras.create(CameraConfig(source=f"push:{url}")).__enter__()


def test_pictures_come_over_mqtt_and_old_ones_are_left(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        publish(broker.port, Message(topic="plant/cam", payload=jpeg(10), retain=True))
        config = CameraConfig(source="push:mqtt:plant/cam")
        with cameras.create(config, MqttConfig(port=broker.port)) as camera:
            assert camera.read() is Nothing.YET
            publish(broker.port, Message(topic="plant/cam", payload=jpeg(90)))
            assert round(float(bgr(next_shot(camera).picture).mean())) == 90
            broker.kill()
            with pytest.raises(CameraError):
                next_shot(camera)


def test_mqtt_without_a_broker_is_one_helpful_line() -> None:
    with pytest.raises(CameraError, match="configure mqtt"):
        cameras.create(CameraConfig(source="push:mqtt:a/b")).__enter__()
