"""Network cameras by RTSP and HTTP: H.264, H.265 and Motion JPEG through PyAV, every wait bounded."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import numpy as np

from edge.errors import CameraError, CameraRefusedError, CameraStalledError, PictureError
from edge.frame import Packet, Shot, check_jpeg, decode_picture

if TYPE_CHECKING:
    from collections.abc import Generator
    from urllib.parse import SplitResult

    import av
    from av.video.frame import VideoFrame

    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig
    from edge.frame import Codec

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
_CONNECT_S = 2.0
_GRACE_S = 0.25
"""The device calls a camera stalled before we give it up: what resumes soon need not be opened again."""
_BOXED = b"\x01"
"""Parameters of streams whose pictures stand in boxes, not between start codes; those are not kept as they came."""
_KEPT: dict[str, Codec] = {"mjpeg": "mjpeg", "h264": "h264", "hevc": "hevc"}


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
        videos = self._container.streams.video
        if not videos:
            self._container.close()
            raise CameraError(f"{self._name}: there is no video in this stream: mend the path")
        videos[0].thread_type = "SLICE"  # frame threads would hold pictures back
        self._shots = self._decode(videos[0])
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
        if scheme in ("rtsps", "https"):
            authority = self._config.ca or ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1"} | ({"ca_file": str(authority)} if authority else {})
        return options

    def _decode(self, stream: Any) -> Generator[Shot | PictureError]:
        """Give what comes; damaged pictures as errors, for a generator that raises is over."""
        import av  # noqa: PLC0415 - as above

        context = stream.codec_context
        codec = _KEPT.get(context.name)
        try:
            for packet in self._container.demux(stream):
                if codec == "mjpeg":
                    yield self._jpeg(bytes(packet), self._stamp_s(packet))
                    continue
                data = bytes(packet)
                for frame in _frames(packet):
                    yield self._shot(frame, context, codec, data, key=packet.is_keyframe)
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            raise CameraStalledError(
                f"{self._name}: nothing came for {self._config.patience_s + _GRACE_S:.1f} s: "
                "the camera or the network stopped sending"
            ) from error

    def _jpeg(self, data: bytes, stamp_s: float | None) -> Shot | PictureError:
        try:
            picture = decode_picture(np.frombuffer(check_jpeg(data, self._name), np.uint8), self._name)
        except PictureError as error:
            return error
        height, width = picture.shape[:2]
        packet = Packet(codec="mjpeg", data=data, key=True, width=width, height=height)
        return Shot(picture=picture, format="mjpeg", stamp_s=stamp_s, packet=packet)

    def _stamp_s(self, of: Any) -> float | None:
        """Give the camera's own time; over HTTP stamps are made up from a guessed rate."""
        return float(of.pts * of.time_base) if self._url.scheme.startswith("rtsp") and of.pts is not None else None

    def _shot(
        self, frame: VideoFrame, context: Any, codec: Codec | None, data: bytes, *, key: bool
    ) -> Shot | PictureError:
        if frame.is_corrupt:
            return PictureError(f"{self._name}: a picture came damaged: check the network, or set transport: tcp")
        packet = None
        extradata = bytes(context.extradata or b"")
        if codec is not None and not extradata.startswith(_BOXED):
            packet = Packet(
                codec=codec, data=data, key=key, width=frame.width, height=frame.height, extradata=extradata
            )
        return Shot(
            picture=np.asarray(frame.to_ndarray(format="bgr24"), np.uint8),
            format=f"{context.name} {frame.format.name}",
            stamp_s=self._stamp_s(frame),
            packet=packet,
        )

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
                    "set the camera to H.264, H.265 or MJPEG, or raise first_frame_s"
                )
            case _:
                reason = getattr(error, "strerror", None) or type(error).__name__
                return CameraError(f"{self._name}: {reason}: check source and camera")


def _frames(packet: Any) -> list[VideoFrame]:
    """Decode one packet; what can't be decoded gives nothing, the next key frame mends it."""
    import av  # noqa: PLC0415 - as above

    try:
        found: list[VideoFrame] = packet.decode()
    except av.error.InvalidDataError:
        return []
    return found


def _with_user(url: SplitResult, username: str | None, password: str | None) -> str:
    if username is None:
        return url.geturl()
    user = quote(username, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}").geturl()


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Stream:
    """Make the camera for a URL; it is opened on entering."""
    del mqtt
    return Stream(config)
