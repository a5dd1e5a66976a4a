"""Pictures that somebody puts into a folder; each is moved to `done` or `damaged` beside it when it was read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edge.cameras import Nothing
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.picture import is_picture, read_picture
from edge.source import split_source

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig

_LOOK_S = 0.1
_PATIENCE_S = 1.0
_SETTLE_S = 0.3
"""A file that did not grow for so long is whole; one that then can't be read is damaged."""


class Watch:
    """A folder that is written while it is read; the oldest picture comes first."""

    simulated = False
    each_counts = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[int, float]] = {}  # size, and since when, on the monotonic clock

    def __enter__(self) -> Self:
        try:
            for name in ("done", "damaged"):
                (self._folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise CameraError(
                f"{self._folder}: {error.strerror}: give a folder that exists and that this user may write"
            ) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._seen = {}

    def read(self) -> Shot | Nothing:
        until = time.monotonic() + _PATIENCE_S
        while (path := self._whole()) is None:
            if time.monotonic() > until:
                return Nothing.YET
            time.sleep(_LOOK_S)
        try:
            picture = read_picture(path)
        except PictureError:
            self._put_away(path, "damaged")
            raise
        self._put_away(path, "done")
        return Shot(picture=picture)

    def _whole(self) -> Path | None:
        """Give the oldest picture that is not being written any more."""
        now = time.monotonic()
        try:
            found = {path: path.stat() for path in self._folder.iterdir() if is_picture(path)}
        except FileNotFoundError:  # taken back in between
            return None
        except OSError as error:
            raise CameraError(f"{self._folder}: {error.strerror}: is the disk still there?") from error
        before, self._seen = self._seen, {}
        for path, status in found.items():
            size, since = before.get(path, (-1, now))
            self._seen[path] = (size, since) if size == status.st_size else (status.st_size, now)
        settled = [path for path, (size, since) in self._seen.items() if size > 0 and now - since >= _SETTLE_S]
        return min(settled, key=lambda path: (found[path].st_mtime_ns, path.name), default=None)

    def _put_away(self, path: Path, where: str) -> None:
        try:
            path.rename(self._folder / where / path.name)
        except OSError as error:
            raise CameraError(f"{path}: {error.strerror}: can't be moved to {where}") from error


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Watch:
    """Make the camera for a folder; it is opened on entering."""
    del mqtt
    return Watch(Path(split_source(config.source)[1]).expanduser())
