"""View: what each camera last saw, as viewers get it; pictures are encoded once, and only when somebody asks."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2

from edge.pictures.preview import taken_slot, view_slot
from edge.web.attached import Attached

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.clock import Clock
    from edge.mask import Plane
    from edge.picture import Picture
    from edge.slot import Snapshot

JPEG_QUALITY = 82
KEPT, KEPT_ASKED = 6, 32
"""So many of the last frames are kept, and of those somebody asked for: the mask is asked for after the picture."""
_CAMERA = re.compile(r"[a-z0-9_-]{1,40}")
_TRIES = 3
_OLD_S, _PATIENCE_S, _LOOK_S = 0.3, 0.3, 0.005
"""A view older than the first, found after nobody looked for as long, was left for the last viewer: the inspection is
given so long to leave what it has now."""


class Pair(NamedTuple):
    """Picture and mask of one frame, encoded."""

    jpeg: bytes
    png: bytes  # grey, the values are class indices


@dataclass(slots=True, kw_only=True, eq=False)
class Seen:
    """One inspected frame: its result, the picture at reduced size, and the class of every pixel of the mask."""

    sequence: int
    meta: dict[str, Any]
    seen_mono_s: float  # when the web process first met it
    pixels: tuple[Picture, Plane] | Pair  # raw until somebody asks
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def result(self) -> dict[str, Any]:
        """The result as published, `edgeloupe.result/1`."""
        found: dict[str, Any] = self.meta["result"]
        return found

    def age_s(self, clock: Clock) -> float:
        """Seconds since the picture was taken; the larger of what both clocks say, so that old never looks new."""
        frame = self.result["frame"]
        by_monotonic = frame["age_s"] + clock.monotonic_s() - self.seen_mono_s
        by_wall = clock.wall_s() - datetime.fromisoformat(frame["captured_at"]).timestamp()
        return float(max(by_monotonic, by_wall, 0.0))

    def pair(self) -> Pair:
        """Encode picture and mask; the second caller gets the first one's bytes."""
        with self._lock:
            if not isinstance(self.pixels, Pair):
                picture, classes = self.pixels
                jpeg = _encode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                self.pixels = Pair(jpeg, _encode(".png", classes, []))
            return self.pixels


class View:
    """What one camera saw last. Safe to share between threads."""

    def __init__(self, runtime_dir: Path, camera: str, clock: Clock) -> None:
        self._slot = Attached(view_slot(runtime_dir, camera))
        self._taken = Attached(taken_slot(runtime_dir, camera), read_only=False)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_mono_s = 0.0
        self._kept: deque[Seen] = deque(maxlen=KEPT)
        self._asked: deque[Seen] = deque(maxlen=KEPT_ASKED)

    def latest(self) -> Seen | None:
        """Give the newest frame; None before the first."""
        with self._lock:
            self._refresh()
            return self._kept[-1] if self._kept else None

    def to_show(self, sequence: int | None) -> Seen | None:
        """Give a frame by its number, or the newest one when it is gone; None before the first."""
        with self._lock:
            if sequence is None or not self._kept:
                self._refresh()
            known = (seen for seen in (*self._kept, *self._asked) if seen.sequence == sequence)
            seen = next(known, self._kept[-1] if self._kept else None)
            if seen is not None and seen not in self._asked:
                self._asked.append(seen)
            return seen

    def _refresh(self) -> None:
        now = self._clock.monotonic_s()
        watched, self._looked_mono_s = now - self._looked_mono_s < _OLD_S, now
        if not self._take() or watched or self._kept[-1].age_s(self._clock) < _OLD_S:
            return
        until = time.monotonic() + _PATIENCE_S
        while not self._take() and time.monotonic() < until:
            time.sleep(_LOOK_S)

    def _take(self) -> bool:
        """Take the view that lies here, if it is a new one, and ask for the next; say whether it was."""
        after = self._kept[-1].sequence if self._kept else 0
        for attempt in range(_TRIES):
            generation = self._slot.generation
            snapshot = self._slot.newest(after)
            if self._slot.generation != generation:
                self._kept.clear()
                self._asked.clear()
            if snapshot is None:
                return False
            seen = self._copy(snapshot)
            if snapshot.intact():
                self._kept.append(seen)
                self._taken.mark_consumed(seen.sequence)
                return True
            time.sleep(0.001 * attempt)  # overtaken while copying: take the next one
        return False

    def _copy(self, snapshot: Snapshot) -> Seen:
        pixels = snapshot.arrays["picture"].copy(), snapshot.arrays["classes"].copy()
        return Seen(
            sequence=snapshot.sequence, meta=snapshot.meta, seen_mono_s=self._clock.monotonic_s(), pixels=pixels
        )


class Views:
    """The views of all cameras, opened as they are asked for."""

    def __init__(self, runtime_dir: Path, clock: Clock) -> None:
        self._runtime_dir = runtime_dir
        self._clock = clock
        self._lock = threading.Lock()
        self._views: dict[str, View] = {}

    def names(self) -> list[str]:
        """List the cameras that have a slot."""
        found = (path.stem for path in self._runtime_dir.glob("*.view"))
        return sorted(name for name in found if _CAMERA.fullmatch(name))

    def latest(self, camera: str) -> Seen | None:
        """Give the newest frame of a camera; None when there is none, or no such camera."""
        view = self._view(camera)
        return view.latest() if view else None

    def to_show(self, camera: str, sequence: int | None) -> Seen | None:
        """Give a frame of a camera by its number, or the newest one when it is gone."""
        view = self._view(camera)
        return view.to_show(sequence) if view else None

    def _view(self, camera: str) -> View | None:
        with self._lock:
            view = self._views.get(camera)
            if view is None and _CAMERA.fullmatch(camera) and view_slot(self._runtime_dir, camera).is_file():
                view = self._views[camera] = View(self._runtime_dir, camera, self._clock)
            return view


def _encode(suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    encoded, data = cv2.imencode(suffix, pixels, options)
    if not encoded:
        raise ValueError(f"a picture of shape {pixels.shape} can't be encoded as {suffix}")
    return data.tobytes()
