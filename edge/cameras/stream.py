"""Network cameras by RTSP and HTTP: H.264, H.265 and Motion JPEG through PyAV, every wait bounded."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from edge.errors import CameraError, CameraRefusedError, CameraStalledError, PictureError
from edge.frame import Shot
from edge.packets import shots

if TYPE_CHECKING:
    from collections.abc import Generator
    from urllib.parse import SplitResult

    import av

    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,tls,udp,tcp",
    "http": "http,tcp",
    "https": "https,tls,tcp",
}
"""What FFmpeg may open on its own behalf, whatever the other side sends."""
_FORMATS = "rtsp,mpjpeg,mpegts,h264,hevc,mov,matroska,flv"
"""Demuxers that read what comes and open nothing else, as playlists would."""
_CODECS = "set the camera to H.264, H.265 or MJPEG"
_ENCRYPTED = ("rtsps", "https")
_CONNECT_S = 2.0
_GRACE_S = 0.25
"""The device calls a camera stalled before we give it up: what resumes soon need not be opened again."""


class Stream:
    """One stream of a network camera; ends by itself only through an error."""

    simulated = False
    each_counts = False

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._url = urlsplit(config.source)
        self._name = f"{self._url.scheme}://{self._url.hostname}{self._url.path}"
        self._container: Any = None  # av.container.InputContainer
        self._shots: Generator[Shot | PictureError] | None = None

    def __enter__(self) -> Self:
        self._reach()
        self._container = self._open()
        try:
            self._shots = self._decode(self._video())
        except CameraError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._shots = None
        if self._container is not None:
            with contextlib.suppress(Exception):  # whatever it says, it is gone
                self._container.close()
            self._container = None

    def read(self) -> Shot:
        if self._shots is None:
            raise CameraError(f"{self._name}: is not open")
        shot = next(self._shots, None)
        if shot is None:
            raise CameraError(f"{self._name}: the stream ended: is the camera restarting?")
        if isinstance(shot, PictureError):
            raise shot
        return shot

    def _reach(self) -> None:
        """Try the address first: FFmpeg waits longer than we want to and does not say what is wrong."""
        host = self._url.hostname
        try:
            port = self._url.port or _PORTS[self._url.scheme]
        except ValueError as error:
            raise CameraError(f"{self._name}: {error}: mend the port") from error
        if not host:
            raise CameraError(f"{self._config.source}: names no host: write {self._url.scheme}://HOST/PATH")
        try:
            socket.create_connection((host, port), _CONNECT_S).close()
        except socket.gaierror as error:
            raise CameraError(f"{self._name}: no such host: mend the source, or check the name server") from error
        except ConnectionRefusedError as error:
            raise CameraError(f"{self._name}: port {port} refuses: is this the camera, and is it on?") from error
        except TimeoutError as error:
            raise CameraError(f"{self._name}: no answer from {host}:{port}: check power, cable and address") from error
        except OSError as error:
            raise CameraError(f"{self._name}: {error.strerror or error}: check the network") from error

    def _open(self) -> av.container.InputContainer:
        try:
            import av  # noqa: PLC0415 - an extra, for devices with network cameras
        except ImportError as error:
            raise CameraError(f"{self._name}: PyAV is not installed: pip install 'edgeloupe[streams]'") from error
        try:
            return av.open(
                _with_user(self._url, self._config.username, self._config.password()),
                "r",
                format="rtsp" if self._url.scheme.startswith("rtsp") else None,
                options=self._options(),
                timeout=(self._config.first_frame_s, self._config.patience_s + _GRACE_S),
            )
        except av.FFmpegError as error:
            raise self._explain(error) from error

    def _video(self) -> Any:
        """Choose the stream that is read."""
        streams = self._container.streams
        readable = [stream for stream in streams.video if stream.codec_context is not None]
        if readable:
            return readable[0]
        if all(stream.type == "audio" for stream in streams):
            raise CameraError(f"{self._name}: there is no video in this stream: mend the path")
        raise CameraError(f"{self._name}: its video can't be decoded: {_CODECS}")

    def _options(self) -> dict[str, str]:
        scheme = self._url.scheme
        options = {
            "protocol_whitelist": _PROTOCOLS[scheme],
            "format_whitelist": _FORMATS,
            "fflags": "nobuffer+discardcorrupt",
            "flags": "low_delay",
            "analyzeduration": "500000",  # microseconds
        }
        if scheme.startswith("rtsp"):
            options["rtsp_transport"] = self._config.transport
        if scheme in _ENCRYPTED:
            authority = self._config.ca or ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1"} | ({"ca_file": str(authority)} if authority else {})
        return options

    def _decode(self, stream: Any) -> Generator[Shot | PictureError]:
        import av  # noqa: PLC0415 - as above

        try:
            for shot in shots(self._container, stream, self._name):
                if isinstance(shot, Shot) and not self._url.scheme.startswith("rtsp"):
                    yield replace(shot, stamp_s=None)  # over HTTP stamps are made up from a guessed rate
                else:
                    yield shot
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            raise CameraStalledError(
                f"{self._name}: nothing came for {self._config.patience_s + _GRACE_S:.1f} s: "
                "the camera or the network stopped sending"
            ) from error

    def _explain(self, error: Exception) -> CameraError:
        import av  # noqa: PLC0415 - as above

        match error:
            case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
                return CameraRefusedError(
                    f"{self._name}: user name or password is wrong: mend username and password_file"
                )
            case av.error.HTTPNotFoundError():
                return CameraError(f"{self._name}: the camera has no stream of this name: mend the path")
            case av.error.HTTPError():
                return CameraError(f"{self._name}: the camera can't give this stream now: see its own settings")
            case av.error.InvalidDataError():
                return CameraError(
                    f"{self._name}: no video came within {self._config.first_frame_s:.0f} s that can be decoded: "
                    f"{_CODECS}, or raise first_frame_s"
                )
            case OSError(errno=errno.EIO) if self._url.scheme in _ENCRYPTED:
                return CameraError(
                    f"{self._name}: no encrypted connection: does the camera speak {self._url.scheme}, and is its "
                    "certificate's authority known or named by ca?"
                )
            case _:
                reason = getattr(error, "strerror", None) or type(error).__name__
                return CameraError(f"{self._name}: {reason}: check source and camera")


def _with_user(url: SplitResult, username: str | None, password: str | None) -> str:
    if username is None:
        return url.geturl()
    user = quote(username, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}").geturl()


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Stream:
    """Make the camera for a URL; it is opened on entering."""
    del mqtt
    return Stream(config)
