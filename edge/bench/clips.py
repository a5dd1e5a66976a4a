"""Clips: videos as cameras send them, made of a folder's pictures; and the first frames of a source, held in memory."""

from __future__ import annotations

import shutil
import subprocess
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge import cameras
from edge.camera_config import CameraConfig
from edge.cameras import Nothing
from edge.errors import CameraError, EdgeloupeError
from edge.picture import is_picture, read_picture
from edge.pictures.jpeg import Jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.cameras import Camera
    from edge.pictures.image import Image

FPS = 30
CODECS = {
    "H.264": (".mp4", "-c:v libx264 -preset veryfast -tune zerolatency -crf 23 -g 30 -pix_fmt yuv420p"),
    "MJPEG": (".avi", "-c:v mjpeg -q:v 4 -pix_fmt yuvj422p -color_range pc"),
}
"""As an IP camera and as a USB camera send them."""
HELD = 8
_GRAINS = 5


def encode(pictures: Path, size: tuple[int, int], codec: str, folder: Path, frames: int) -> Path:
    """Write a clip of the pictures in turn, scaled to `size` and with a sensor's noise; give its path.

    Raises:
        EdgeloupeError: ffmpeg is not here, or can't encode this.
        CameraError: the folder has no pictures.
    """
    suffix, options = CODECS[codec]
    program = shutil.which("ffmpeg")
    if program is None:
        raise EdgeloupeError("ffmpeg is not here, which makes the clip: apt install ffmpeg")
    scaled = _scaled(pictures, size)
    path = folder / f"clip-{size[0]}x{size[1]}{suffix}"
    raw = f"-f rawvideo -pix_fmt bgr24 -s {size[0]}x{size[1]} -r {FPS} -i -"
    command = [program, "-loglevel", "error", "-y", *raw.split(), *options.split(), str(path)]
    random = np.random.default_rng(1)
    grains = [random.integers(-4, 5, (size[1], size[0], 1), np.int16) for _ in range(_GRAINS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            for number in range(frames):
                picture = scaled[number * len(scaled) // frames]
                noisy = np.clip(picture + grains[number % _GRAINS], 0, 255).astype(np.uint8)
                process.stdin.write(noisy.tobytes())  # type: ignore[union-attr] # it is a pipe
        except BrokenPipeError:
            pass  # its exit code tells
    if process.returncode != 0:
        raise EdgeloupeError(f"ffmpeg can't encode {codec}: install one that can")
    return path


def stills(pictures: Path, size: tuple[int, int], folder: Path) -> Path:
    """Write the pictures as JPEG of that size, for machines that can't make a clip. Raises CameraError."""
    place = folder / f"stills-{size[0]}x{size[1]}"
    place.mkdir(exist_ok=True)
    for number, picture in enumerate(_scaled(pictures, size)):
        cv2.imwrite(str(place / f"{number:03}.jpg"), picture)
    return place


def held(source: str, wanted: tuple[int, int]) -> list[Image]:
    """Give some frames of a source as it decodes them, spread over its beginning. Raises CameraError."""
    with cameras.create(CameraConfig(source=source, loop=True)) as camera:
        return [picture.copy() for picture in islice(images(camera, wanted), 0, HELD * FPS // 2, FPS // 2)]


def images(camera: Camera, wanted: tuple[int, int]) -> Iterator[Image]:
    """Give the pictures of an open camera, decoded as its process does. Raises CameraError when there are no more."""
    while True:
        shot = camera.read()
        if isinstance(shot, Nothing):
            if shot is Nothing.MORE:
                raise CameraError("the source has no more pictures: give one that goes on")
            continue
        yield shot.picture.reduced(*wanted) if isinstance(shot.picture, Jpeg) else shot.picture


def _scaled(pictures: Path, size: tuple[int, int]) -> list[cv2.typing.MatLike]:
    paths = sorted(path for path in pictures.iterdir() if is_picture(path))
    if not paths:
        raise CameraError(f"{pictures}: has no pictures: put JPEG or PNG files into it")
    return [cv2.resize(read_picture(path), size, interpolation=cv2.INTER_AREA) for path in paths]
