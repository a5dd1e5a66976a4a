"""Pictures that other devices send: posted to `push:http://HOST:PORT/PATH`, or published on `push:mqtt:TOPIC`."""

from __future__ import annotations

import hmac
import ipaddress
import queue
import threading
from base64 import b64decode
from binascii import Error as Base64Error
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import numpy as np

from edge.cameras import Nothing
from edge.clock import SystemClock
from edge.errors import BrokerError, CameraError, PictureError
from edge.frame import Packet, Shot
from edge.mqtt.broker import Broker
from edge.mqtt.link import connect
from edge.picture import decode_picture
from edge.pictures.jpeg import open_jpeg
from edge.source import split_source

if TYPE_CHECKING:
    import socket

    from edge.camera_config import CameraConfig
    from edge.cameras import Camera
    from edge.config import MqttConfig
    from edge.mqtt.link import Link

_WAIT_S = 0.5
_SOCKET_S = 5.0
"""A sender that is silent in the middle of a picture is left."""
_MOST_BYTES = 64 << 20
_MOST_SENDERS = 8
_WAITING = 4
"""Pictures that wait to be inspected; further senders are asked to come again."""


class Http:
    """Listens for `POST PATH` with one JPEG or PNG; answers 204 when the picture will be inspected."""

    simulated = False
    each_counts = True

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._name = config.source
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        url = urlsplit(split_source(self._config.source)[1])
        try:
            host, port = url.hostname, url.port
        except ValueError as error:
            raise CameraError(f"{self._name}: {error}: write push:http://127.0.0.1:8090/PATH") from error
        if not host or not port or len(url.path) < 2:
            raise CameraError(f"{self._name}: write push:http://127.0.0.1:8090/PATH")
        password = self._config.password()
        if password is None and not _is_loopback(host):
            raise CameraError(f"{self._name}: others can reach this address: give username and password_file")
        try:
            self._server = _Server((host, port), url.path, self._config.username or "", password)
        except OSError as error:
            raise CameraError(f"{self._name}: {error.strerror}: choose another address or port") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="push", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(_SOCKET_S)
            self._server.server_close()
            self._server = None

    def read(self) -> Shot | Nothing:
        if self._server is None:
            raise CameraError(f"{self._name}: is not open")
        try:
            came = self._server.came.get(timeout=_WAIT_S)
        except queue.Empty:
            return Nothing.YET
        if isinstance(came, PictureError):
            raise came
        return came


class _Server(ThreadingHTTPServer):
    """The HTTP side: bounded in senders, bytes and seconds."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], path: str, username: str, password: str | None) -> None:
        self.path = path
        self.login = None if password is None else f"{username}:{password}".encode()
        self.came: queue.Queue[Shot | PictureError] = queue.Queue(_WAITING)
        self._free = threading.BoundedSemaphore(_MOST_SENDERS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """Say nothing: a sender that went away is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_S
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        status, why = self._take()
        body = f"{why}\n".encode() if why else b""
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="edgeloupe"')
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")  # what was not read must not pass for the next request
        self.end_headers()
        if status is not HTTPStatus.NO_CONTENT:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        del format, args

    def _take(self) -> tuple[HTTPStatus, str]:
        if self.path != self.server.path:
            return HTTPStatus.NOT_FOUND, "no camera listens here"
        if not self._may():
            return HTTPStatus.UNAUTHORIZED, "user name or password is wrong"
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return HTTPStatus.LENGTH_REQUIRED, "say how long the picture is"
        if not 0 <= length <= _MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_MOST_BYTES} bytes are taken"
        if self.server.came.full():
            return HTTPStatus.SERVICE_UNAVAILABLE, "pictures come faster than they are inspected"
        came = _decode(self.rfile.read(length), "posted picture")
        try:
            self.server.came.put_nowait(came)
        except queue.Full:
            return HTTPStatus.SERVICE_UNAVAILABLE, "pictures come faster than they are inspected"
        if isinstance(came, PictureError):
            return HTTPStatus.BAD_REQUEST, str(came)
        return HTTPStatus.NO_CONTENT, ""

    def _may(self) -> bool:
        if self.server.login is None:
            return True
        kind, _, told = self.headers.get("Authorization", "").partition(" ")
        try:
            return kind.lower() == "basic" and hmac.compare_digest(b64decode(told, validate=True), self.server.login)
        except (Base64Error, ValueError):
            return False


class Mqtt:
    """Hears pictures on a topic of the device's own broker."""

    simulated = False
    each_counts = True

    def __init__(self, config: CameraConfig, mqtt: MqttConfig | None, topic: str) -> None:
        self._name = config.source
        self._mqtt = mqtt
        self._topic = topic
        self._link: Link | None = None

    def __enter__(self) -> Self:
        if self._mqtt is None:
            raise CameraError(f"{self._name}: needs a broker: configure mqtt")
        if not self._topic or set(self._topic) & set("+#"):
            raise CameraError(f"{self._name}: name one topic, without + and #")
        name = f"edgeloupe-push-{self._topic.replace('/', '-')}"
        try:
            self._link = connect(Broker.of(self._mqtt), client_id=name, clock=SystemClock(), session_s=0)
            self._link.subscribe(self._topic)
        except BrokerError as error:
            raise CameraError(str(error)) from error
        return self

    def __exit__(self, *exc: object) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def read(self) -> Shot | Nothing:
        if self._link is None:
            raise CameraError(f"{self._name}: is not open")
        try:
            if not self._link.inbox:
                self._link.pump(_WAIT_S)
        except BrokerError as error:
            raise CameraError(str(error)) from error
        while self._link.inbox:
            received = self._link.inbox.popleft()
            if received.retain:  # an old picture
                continue
            came = _decode(received.payload, self._topic)
            if isinstance(came, PictureError):
                raise came
            return came
        return Nothing.YET


def _decode(data: bytes, name: str) -> Shot | PictureError:
    is_png = data.startswith(b"\x89PNG")
    try:
        picture = decode_picture(np.frombuffer(data, np.uint8), name) if is_png else open_jpeg(data, name)
    except PictureError as error:
        return error
    height, width = picture.shape[:2]
    packet = None if is_png else Packet(codec="mjpeg", data=data, key=True, width=width, height=height)
    return Shot(picture=picture, format="png" if is_png else "mjpeg", packet=packet)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Camera:
    """Make the camera; it listens from entering on."""
    kind, _, topic = split_source(config.source)[1].partition(":")
    return Mqtt(config, mqtt, topic) if kind == "mqtt" else Http(config)
