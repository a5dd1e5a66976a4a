"""Store: evidence on disk, whole or not at all, oldest and least important deleted first."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge.evidence.retention import FOR_EVER, Item, expired, surplus
from edge.pictures.image import bgr
from edge.pictures.jpeg import Reduced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.evidence.retention import Retention
    from edge.evidence_config import EvidenceKind
    from edge.pictures.image import Image

log = logging.getLogger(__name__)

SUFFIXES: dict[EvidenceKind, str] = {"picture": ".jpg", "mask": ".mask.png", "overlay": ".overlay.jpg"}

JPEG_QUALITY = 90
KEEP_FREE_BYTES = 16 << 20
"""The last of the disk belongs to alerts: no picture goes there."""
_PARTIAL = ".partial"
_WRITING_S = 600.0
"""What was begun and not touched for so long, a power cut left behind."""


class EvidenceStore:
    """Files under one folder as `YYYY-MM-DD/HH/CAMERA/NAME.SUFFIX`, in UTC; those of one name come and go together."""

    def __init__(self, root: Path, retention: Retention = FOR_EVER) -> None:
        self.root = root
        self._retention = retention

    def has_room(self) -> bool:
        """Say whether the disk has room for more than alerts."""
        return self._free_bytes() >= KEEP_FREE_BYTES

    def save(self, picture: Image, captured_at: float, camera: str, name: str) -> str | None:
        """Write one picture, a camera's own JPEG as it came, and give its path relative to the root.

        Gives None, and logs why, when the disk is full or failing.
        """
        path = place(captured_at, camera, name) + SUFFIXES["picture"]
        return path if self.write(path, encoded(picture)) else None

    def write(self, path: str, data: memoryview) -> bool:
        """Write one file at `path` below the root; say whether it is there, and log why not."""
        whole = self.root / path
        partial = whole.with_name(whole.name + _PARTIAL)
        try:
            if not self.has_room():
                log.warning("%s: evidence not kept: the disk is nearly full", whole)
                return False
            whole.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(whole)
        except OSError as error:
            log.warning("%s: evidence not kept: %s", whole, error.strerror or error)
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            return False
        return True

    def size_bytes(self) -> int:
        """Add up what is kept."""
        return sum(item.size_bytes for item in self._items())

    def expire(self, now_s: float) -> None:
        """Delete what is older than agreed for its class; `now_s` counts from the epoch."""
        self._delete(expired(self._items(), self._retention, now_s))

    def trim(self, limit_bytes: int, low_bytes: int | None = None) -> int:
        """Once there are more than `limit_bytes`, delete the least important, the oldest first; give what is left.

        It goes on until there are at most `low_bytes`, by default the limit, and fewer on a full disk.
        """
        if not self.root.is_dir():
            return 0
        items = self._items()
        total = sum(item.size_bytes for item in items)
        limit_bytes = min(limit_bytes, total + self._free_bytes() - KEEP_FREE_BYTES)
        if total > limit_bytes:
            low_bytes = limit_bytes if low_bytes is None else min(limit_bytes, low_bytes)
            doomed = surplus(items, self._retention, low_bytes)
            self._delete(doomed)
            total -= sum(item.size_bytes for item in doomed)
        self._remove_empty_folders()
        return total

    def _delete(self, items: Iterable[Item]) -> None:
        for item in items:
            for path in item.paths:
                path.unlink(missing_ok=True)

    def _free_bytes(self) -> int:
        folder = next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())
        return shutil.disk_usage(folder).free

    def _remove_empty_folders(self) -> None:
        late = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")  # later ones may be about to get a picture
        for folder in (path for path in self.root.iterdir() if path.is_dir() and path.name < late):
            if not any(path.is_file() for path in folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)

    def _items(self) -> list[Item]:
        """List what is kept, files of one name together; without what is being written."""
        found: dict[str, list[tuple[Path, int]]] = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder) / name
                try:
                    told = path.stat()
                except FileNotFoundError:
                    continue  # renamed or deleted meanwhile
                if name.endswith(_PARTIAL) and abs(time.time() - told.st_mtime) < _WRITING_S:
                    continue
                stem = path.relative_to(self.root).with_name(name.partition(".")[0]).as_posix()
                found.setdefault(stem, []).append((path, told.st_size))
        return [
            Item(stem=stem, paths=tuple(path for path, _ in files), size_bytes=sum(size for _, size in files))
            for stem, files in found.items()
        ]


def place(captured_at: float, camera: str, name: str) -> str:
    """Say where files of `name` lie, relative to the root and without a suffix."""
    hour = datetime.fromtimestamp(captured_at, UTC).strftime("%Y-%m-%d/%H")
    return f"{hour}/{camera}/{name}"


def encoded(picture: Image) -> memoryview:
    """Give a camera's own JPEG as it came, anything else as JPEG. Raises PictureError."""
    if isinstance(picture, Reduced):
        return picture.data.data
    return cv2.imencode(".jpg", bgr(picture), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].data
