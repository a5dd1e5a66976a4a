"""Pictures from a folder, in the order of their names, or from a video file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge.cameras import Nothing
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.packets import shots
from edge.picture import is_picture, read_picture
from edge.source import is_video, split_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.camera_config import CameraConfig
    from edge.cameras import Camera
    from edge.config import MqttConfig


_FORMATS = "mov,matroska,avi,mpegts,mpeg,h264,hevc,mjpeg,flv,asf,ogg"
"""Demuxers that read this file and open nothing else, as playlists would."""


class Folder:
    """Every picture of a folder once, or round and round."""

    simulated = True
    each_counts = True

    def __init__(self, path: Path, *, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._waiting: list[Path] = []
        self._readable = False

    def __enter__(self) -> Self:
        self._waiting = self._list()
        return self

    def __exit__(self, *exc: object) -> None:
        self._waiting = []

    def read(self) -> Shot | Nothing:
        if not self._waiting:
            if not (self._loop and self._readable):
                return Nothing.MORE
            self._waiting = self._list()
        picture = read_picture(self._waiting.pop(0))
        self._readable = True
        return Shot(picture=picture)

    def _list(self) -> list[Path]:
        found = sorted(path for path in self._path.iterdir() if is_picture(path))
        if not found:
            raise CameraError(f"{self._path}: has no pictures: put JPEG or PNG files into it")
        return found


class Video:
    """A video file, decoded by PyAV; a damaged picture is told, and the next is read."""

    simulated = True
    each_counts = True

    def __init__(self, path: Path, *, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._container: Any = None  # av.container.InputContainer
        self._shots: Iterator[Shot | PictureError] = iter(())

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *exc: object) -> None:
        self._shots = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def read(self) -> Shot | Nothing:
        if self._container is None:
            raise CameraError(f"{self._path}: is not open")
        shot = self._next()
        if shot is None and self._loop:
            self.__exit__()
            self._open()
            shot = self._next()
        if isinstance(shot, PictureError):
            raise shot
        return Nothing.MORE if shot is None else replace(shot, stamp_s=None)

    def _next(self) -> Shot | PictureError | None:
        import av  # noqa: PLC0415 - as below

        try:
            return next(self._shots, None)
        except av.FFmpegError:  # cut off: what was whole has been read
            return None

    def _open(self) -> None:
        if not self._path.exists():
            raise CameraError(f"{self._path}: does not exist: give a folder of pictures or a video file")
        try:
            import av  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise CameraError(f"{self._path}: PyAV is not installed: pip install 'edgeloupe[streams]'") from error
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        try:
            self._container = av.open(str(self._path), "r", options=options)
            self._shots = shots(self._container, self._container.streams.video[0], str(self._path))
        except (av.FFmpegError, IndexError) as error:
            self.__exit__()
            raise CameraError(
                f"{self._path}: can't be decoded: give a video such as H.264 in MP4, or a folder"
            ) from error


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Camera:
    """Make a folder or video source; it is opened on entering."""
    del mqtt
    path = Path(split_source(config.source)[1]).expanduser()
    return Video(path, loop=config.loop) if is_video(config.source) else Folder(path, loop=config.loop)
