"""Clip: seconds before and after an alert, out of a ring of encoded pictures, as a video beside the evidence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge.capture.ring import Kept, Ring, write_video
from edge.errors import CameraError
from edge.frame import Packet
from edge.pictures.image import bgr
from edge.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path

    from edge.camera_config import ClipConfig
    from edge.clock import Clock
    from edge.config import StorageConfig
    from edge.pictures.image import Image

log = logging.getLogger(__name__)

CLIP_CAPACITY = 4096
_JPEG_QUALITY = 80
_SLACK_S = 2.0
"""The ring keeps a little longer than asked for: key pictures come once a second or two."""
_MOST_WAITING = 20


def clip_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where the inspection asks for clips of `camera`."""
    return runtime_dir / f"{camera}.clip"


@dataclass(frozen=True, slots=True)
class _Wish:
    path: str  # relative to the evidence folder
    at_mono_s: float


class ClipKeeper:
    """Keeps the ring of one camera and writes the clips that are wished for. Belongs to the camera's thread."""

    def __init__(self, config: ClipConfig, storage: StorageConfig, camera: str, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._wanted = config.before_s + config.after_s > 0
        keep_s = config.before_s + config.after_s + _SLACK_S
        self._ring = Ring(keep_s=keep_s, most_bytes=config.most_mb << 20)
        self._evidence = storage.state_dir / "evidence"
        self._slot = Slot(clip_slot(storage.runtime_dir, camera)) if self._wanted else None
        self._heard = self._slot.latest if self._slot else 0
        self._wishes: list[_Wish] = []
        self._next_at = 0.0

    def keep(self, picture: Image, packet: Packet | None, taken_mono_s: float) -> None:
        """Take the newest picture, best as it came encoded, and write the clips that end with it."""
        if self._slot is None:
            return
        if packet is not None:
            self._ring.add(Kept(taken_mono_s, packet))
        elif taken_mono_s >= self._next_at:
            self._next_at = taken_mono_s + 1 / self._config.fps
            self._ring.add(Kept(taken_mono_s, _encode(picture)))
        self.tend(taken_mono_s)

    def tend(self, now_mono_s: float) -> None:
        """Write the clips whose last second has passed; to be called also while no pictures come."""
        if self._slot is None:
            return
        self._hear(self._slot)
        due = [wish for wish in self._wishes if now_mono_s >= wish.at_mono_s + self._config.after_s]
        for wish in due:
            self._wishes.remove(wish)
            self._write(wish)

    def _hear(self, slot: Slot) -> None:
        told = slot.newest(self._heard)
        if told is None:
            return
        self._heard = told.sequence
        known = {wish.path for wish in self._wishes}
        fresh = [_Wish(path, at) for path, at in told.meta["wishes"] if at > self._oldest() and path not in known]
        self._wishes = [*self._wishes, *(w for w in fresh if not (self._evidence / w.path).exists())][-_MOST_WAITING:]

    def _oldest(self) -> float:
        return self._clock.monotonic_s() - self._config.before_s - self._config.after_s - _SLACK_S

    def _write(self, wish: _Wish) -> None:
        begin, end = wish.at_mono_s - self._config.before_s, wish.at_mono_s + self._config.after_s
        try:
            write_video(self._ring.cut(begin, end), self._evidence / wish.path)
        except (CameraError, OSError) as error:
            log.warning("%s: clip not kept: %s", wish.path, error)


def _encode(picture: Image) -> Packet:
    data = cv2.imencode(".jpg", bgr(picture), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    height, width = picture.shape[:2]
    return Packet(codec="mjpeg", data=data, key=True, width=width, height=height)


class ClipWishes:
    """The inspection's end: asks for clips. The last few wishes stand in the slot together, so that none is lost."""

    def __init__(self, config: ClipConfig, runtime_dir: Path, camera: str) -> None:
        self._wanted = config.before_s + config.after_s > 0
        self._slot = Slot(clip_slot(runtime_dir, camera)) if self._wanted else None
        self._wishes: list[tuple[str, float]] = []

    def ask(self, stem: str, at_mono_s: float) -> str | None:
        """Ask for the clip around a moment; give its path, that of the evidence with another suffix, if one is kept."""
        if self._slot is None:
            return None
        path = f"{stem}.mp4"
        self._wishes = [*self._wishes, (path, at_mono_s)][-_MOST_WAITING:]
        self._slot.write({"wishes": self._wishes}, {})
        return path
