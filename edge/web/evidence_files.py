"""Evidence files: what lies behind alerts, found by the path an alert names and never outside their folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = {".jpg": (0, b"\xff\xd8\xff"), ".jpeg": (0, b"\xff\xd8\xff"), ".mp4": (4, b"ftyp")}
"""What stands where in a file of each kind."""
_QUALITY = 80


def find(root: Path, relative: str) -> Path | None:
    """Give the JPEG or MP4 file at `relative` below `root`; None for anything else, links to the outside included."""
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
