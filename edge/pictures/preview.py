"""Preview: what a camera saw last, reduced and left for viewers; made only when one of them took the picture before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.pictures.prepare import prepare
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.mask import Mask
    from edge.pictures.image import Image

VIEW_CAPACITY = 32 << 20
"""Bytes a view has room for; memory is used only for what was written."""
TAKEN_CAPACITY = 64
LONGER_SIDE_PX = 640


def view_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where viewers find what was last seen by `camera`."""
    return runtime_dir / f"{camera}.view"


def taken_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where viewers mark which view they took: all that they write, so that the inspection reads one number."""
    return runtime_dir / f"{camera}.taken"


@dataclass(slots=True)
class _Held:
    result: Mapping[str, Any]
    picture: Image
    mask: Mask | None
    intact: Callable[[], bool]


@dataclass(slots=True)
class Preview:
    """One camera's view, at the worker; belongs to its thread.

    A view is written only when the one before was taken, so that nothing is reduced, copied or written while nobody
    looks, and no more often than the fastest viewer asks. What is not written is held, at no cost, until the next
    frame replaces it: whoever looks first gets the newest.
    """

    runtime_dir: Path
    camera: str
    told: Mapping[str, Any]  # goes with every view
    _view: Slot = field(init=False)
    _taken: Slot = field(init=False)
    _held: _Held | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._view = Slot(view_slot(self.runtime_dir, self.camera))
        self._taken = Slot(taken_slot(self.runtime_dir, self.camera), read_only=True)

    def offer(self, result: Mapping[str, Any], picture: Image, mask: Mask | None, intact: Callable[[], bool]) -> None:
        """Take what was seen last; `intact` says whether the picture still is what was inspected."""
        self._held = _Held(result, picture, mask, intact)
        self.tend()

    def tend(self) -> None:
        """Write what is held if a viewer waits for it; to be called from time to time while no frame comes."""
        if self._held is None or self._taken.consumed < self._view.latest:
            return
        held, self._held = self._held, None
        height, width = held.picture.shape[:2]
        small = prepare(held.picture, *reduced_size(width, height))
        if held.intact():  # otherwise a newer frame is on its way
            size = small.shape[1], small.shape[0]
            classes = np.zeros((1, 1), np.uint8) if held.mask is None else held.mask.over_frame(*size)
            self._view.write({"result": dict(held.result), **self.told}, {"picture": small, "classes": classes})


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Give width and height of the preview of a frame: even numbers, the longer side at most `LONGER_SIDE_PX`."""
    scale = min(1.0, LONGER_SIDE_PX / max(width, height))
    return max(round(width * scale / 2), 1) * 2, max(round(height * scale / 2), 1) * 2
