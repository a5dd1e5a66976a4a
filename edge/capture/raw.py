"""Raw: pictures of a camera before any correction, left for who calibrates it: one at a time, and only when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import PictureError
from edge.pictures.image import bgr
from edge.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from edge.pictures.image import Image
    from edge.pictures.jpeg import Jpeg

ASKED_CAPACITY = 64
_APART_S = 0.15
"""However often somebody asks: decoding a whole picture may cost as much as looking at it."""


def raw_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where raw pictures of `camera` cross."""
    return runtime_dir / f"{camera}.raw"


def asked_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where is marked which raw picture is asked for: the first after those that are there."""
    return runtime_dir / f"{camera}.asked"


class RawShelf:
    """The capture process's end. Nothing is decoded, copied or written unless somebody asked."""

    def __init__(self, runtime_dir: Path, camera: str) -> None:
        self._raw = Slot(raw_slot(runtime_dir, camera))
        self._asked = Slot(asked_slot(runtime_dir, camera), read_only=True)
        self._left_s = float("-inf")

    def offer(self, picture: Image | Jpeg, now_mono_s: float) -> None:
        """Leave a picture if one is asked for. Raises PictureError: it is damaged, or too large."""
        if self._asked.consumed <= self._raw.latest or now_mono_s - self._left_s < _APART_S:
            return
        self._left_s = now_mono_s
        try:
            self._raw.write({"taken_mono_s": now_mono_s}, {"picture": bgr(picture)})
        except ValueError as error:
            raise PictureError(f"a picture to calibrate with: {error}") from error
