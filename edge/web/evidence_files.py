"""Evidence files: what lies behind alerts, found by the path an alert names and never outside their folder."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = {
    ".jpg": (0, b"\xff\xd8\xff"),
    ".jpeg": (0, b"\xff\xd8\xff"),
    ".png": (0, b"\x89PNG\r\n\x1a\n"),
    ".mp4": (4, b"ftyp"),
}
"""What stands where in a file of each kind."""
MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".mp4": "video/mp4"}
WAIT_S = 2.0
_LOOK_S = 0.05
_MINUTE_S = 60.0
_QUALITY = 80


def find(root: Path, relative: str) -> Path | None:
    """Give the picture or video at `relative` below `root`; None for anything else, links to the outside included."""
    at, mark = _MARKS.get(PurePosixPath(relative).suffix, (0, b""))
    if "\0" in relative or not mark:
        return None
    folder = root.resolve()
    try:
        path = (folder / relative).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        with path.open("rb") as file:
            starts = file.read(at + len(mark))
    except OSError:  # a name too long, a file deleted meanwhile
        return None
    return path if starts[at:] == mark else None


def find_soon(root: Path, relative: str, now_s: float) -> Path | None:
    """As `find`, but wait for a moment where the path is of this hour: an alert is told before its picture is there."""
    hours = {datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d/%H/") for at in (now_s, now_s - _MINUTE_S)}
    until = time.monotonic() + (WAIT_S if any(relative.startswith(hour) for hour in hours) else 0.0)
    while (path := find(root, relative)) is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return path


@lru_cache(maxsize=128)
def thumbnail(path: Path, width: int) -> bytes | None:
    """Give the picture at most `width` pixels wide as JPEG; None if it can't be read. Pictures never change."""
    try:
        data = np.fromfile(path, np.uint8)
        small = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION)
    except (OSError, cv2.error):
        return None
    if small is None:
        return None
    if small.shape[1] > width:
        height = max(round(small.shape[0] * width / small.shape[1]), 1)
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    encoded, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return jpeg.tobytes() if encoded else None
