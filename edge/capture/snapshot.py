"""Snapshot: one picture of a camera, taken in a process that can be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from edge import cameras
from edge.cameras import Nothing
from edge.errors import CameraError, EdgeloupeError, PictureError
from edge.geometry.straighten import Geometry
from edge.pictures.image import bgr
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from edge.camera_config import CameraConfig
    from edge.picture import Picture
    from edge.pictures.image import Image
    from edge.pictures.jpeg import Jpeg

_SETTLE = 8
"""Pictures after which exposure and white balance of a lens have settled."""


def snapshot(config: CameraConfig, *, straighten: bool) -> Picture:
    """Take one picture. Raises CameraError, ConfigError."""
    ours, theirs = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=_take, args=(theirs, config, straighten), name="snapshot", daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(config.first_frame_s):
            raise CameraError(f"{config.source}: gave no picture within {config.first_frame_s:.0f} s")
        came: Picture | EdgeloupeError = ours.recv()
    except EOFError:
        raise CameraError(f"{config.source}: the process that read it ended by itself") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(came, EdgeloupeError):
        raise came
    return came


def _take(answer: Connection, config: CameraConfig, straighten: bool) -> None:  # noqa: FBT001 - a process's argument
    try:
        picture = _settled(config)
        answer.send(Geometry(config.geometry).apply(picture) if straighten else picture)
    except EdgeloupeError as error:
        answer.send(type(error)(str(error)))


def _settled(config: CameraConfig) -> Picture:
    last: Image | Jpeg | None = None
    with cameras.create(config) as camera:
        for _ in range(1 if camera.each_counts else _SETTLE):
            if (release := cameras.release_of(camera)) is not None:
                release()
            while (shot := camera.read()) is Nothing.YET:
                pass
            if isinstance(shot, Nothing):
                break
            last = shot.picture
    if last is None:
        raise CameraError(f"{config.source}: has no pictures")
    return bgr(last)


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture whole or not at all. Raises PictureError."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise PictureError(f"{path}: end the name in .png or .jpg")
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
        partial.replace(path)
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror}: give a folder that this user may write") from error
