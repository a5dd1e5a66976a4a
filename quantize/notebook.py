"""Notebook: what a run has measured so far, on the disk, so that a run that was stopped does not measure it again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from edge import __version__
from edge.errors import BundleError
from models.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


class Notebook:
    """Figures by what they were measured of; what can't be read is measured again."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it. Raises BundleError: it can't be written."""
        self._path = path
        try:
            notes = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            notes = {}
        self._notes: dict[str, str] = notes if isinstance(notes, dict) else {}
        self._write()

    def recall(self, key: str, kind: TypeAdapter[T], measure: Callable[[], T]) -> T:
        """Give what stands under `key`; where nothing does, measure it and write it down. Raises BundleError."""
        try:
            return kind.validate_json(self._notes[key])
        except (KeyError, ValidationError):
            value = measure()
        self._notes[key] = kind.dump_json(value, by_alias=True).decode()
        self._write()
        return value

    def close(self) -> None:
        """Forget everything: the run has come to its end."""
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as partial:
                partial.write_text(json.dumps(self._notes), "utf-8")
        except OSError as error:
            raise BundleError(f"{self._path}: {error.strerror}: give another place with -o") from error


def key_of(what: str, *parts: str | Path | NDArray[np.uint8]) -> str:
    """Name a measurement by its kind and by all that it depends on: words, files, and arrays."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        digest.update(hashlib.sha256(_content(part)).digest())
    return f"{what} {digest.hexdigest()}"


def _content(part: str | Path | NDArray[np.uint8]) -> bytes:
    if isinstance(part, str):
        return part.encode()
    return part.read_bytes() if isinstance(part, Path) else part.tobytes()
