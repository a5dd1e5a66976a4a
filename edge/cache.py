"""Cache: where things are kept that can be made anew."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """Give the folder for things of one kind: in `$EDGELOUPE_CACHE`, or the user's cache; it need not exist."""
    if chosen := os.environ.get("EDGELOUPE_CACHE"):
        return Path(chosen) / kind
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    if os.path.isabs(base) and os.access(Path(base) if Path(base).exists() else Path(base).parent, os.W_OK):  # noqa: PTH117
        return Path(base) / "edgeloupe" / kind
    return Path(tempfile.gettempdir()) / f"edgeloupe-{os.getuid()}" / kind


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves all of it or what stood there before; once this returns, all of it.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, so that what was renamed in it stays so. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
