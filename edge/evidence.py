"""Evidence: the picture behind each alert, on disk, whole or not at all, oldest deleted first."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge.pictures.image import bgr
from edge.pictures.jpeg import Reduced

if TYPE_CHECKING:
    from edge.frame import Picture
    from edge.pictures.image import Image
    from edge.pictures.planes import Planes

log = logging.getLogger(__name__)

JPEG_QUALITY = 90
KEEP_FREE_BYTES = 16 << 20
"""The last of the disk belongs to alerts: no picture goes there."""


class EvidenceStore:
    """Pictures under one folder as `YYYY-MM-DD/HH/CAMERA/NAME.jpg`, in UTC."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, picture: Image, captured_at: float, camera: str, name: str) -> str | None:
        """Write one picture, a camera's own JPEG as it came, and give its path relative to the root.

        Gives None, and logs why, when the disk is full or failing: an alert goes out without its picture then.
        """
        hour = datetime.fromtimestamp(captured_at, UTC).strftime("%Y-%m-%d/%H")
        relative = Path(hour) / camera / f"{name}.jpg"
        path = self.root / relative
        partial = path.with_suffix(".partial")
        if self._free_bytes() < KEEP_FREE_BYTES:
            log.warning("%s: evidence picture not kept: the disk is nearly full", path)
            return None
        data = picture.data.data if isinstance(picture, Reduced) else _encode(picture)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            log.warning("%s: evidence picture not kept: %s", path, error.strerror or error)
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            return None
        return relative.as_posix()

    def size_bytes(self) -> int:
        """Add up what is kept."""
        return sum(size for _, size, _ in self._files())

    def trim(self, limit_bytes: int) -> int:
        """Delete the oldest pictures until at most `limit_bytes` are left, fewer on a full disk; give what is left."""
        if not self.root.is_dir():
            return 0
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        limit_bytes = min(limit_bytes, total + self._free_bytes() - KEEP_FREE_BYTES)
        for _, size, path in files:
            if total <= limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._remove_empty_folders()
        return total

    def _free_bytes(self) -> int:
        folder = next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())
        return shutil.disk_usage(folder).free

    def _remove_empty_folders(self) -> None:
        today = datetime.now(UTC).strftime("%Y-%m-%d")  # today's may be about to get a picture
        for folder in (path for path in self.root.iterdir() if path.is_dir() and path.name < today):
            if not any(path.is_file() for path in folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)

    def _files(self) -> list[tuple[str, int, Path]]:
        found = []
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder) / name
                try:
                    found.append((path.relative_to(self.root).as_posix(), path.stat().st_size, path))
                except FileNotFoundError:
                    continue  # renamed or deleted meanwhile
        return found


def _encode(picture: Picture | Planes) -> memoryview:
    return cv2.imencode(".jpg", bgr(picture), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].data
