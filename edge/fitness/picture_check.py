"""Picture check: is this picture fit to be judged at all, and if not, what is wrong with camera or light?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from edge.fitness.look import look_at
from edge.pictures.image import decoded, grey
from edge.pictures.prepare import halve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.camera_config import PictureConfig
    from edge.fitness.look import Look
    from edge.frame import Shot
    from edge.picture import Picture
    from edge.pictures.image import Image

FaultKind = Literal[
    "damaged", "wrong_format", "clock", "stale", "frozen", "dark", "saturated", "noise", "covered", "blurred", "moved",
    "overheated",
]  # fmt: skip

_REGISTRATION_S = 0.5
"""How often the picture is registered with the reference."""
_REGISTRATION_SIZE = (256, 144)
_SURE = 3
"""Registrations in a row that must agree: a part that passes is no camera that moved."""
_PEAK = 0.12
"""Response of phase correlation above which two pictures show the same scene."""
_NOISE_CONTRAST = 20.0
_STRUCTURE = 4.0
"""Grey levels of contrast that a reference must have before its absence means anything."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a picture can't be judged."""

    kind: FaultKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Reference:
    """How the scene should look."""

    picture: Picture
    look: Look
    small: NDArray[np.float32]  # grey, as registered

    @classmethod
    def of(cls, picture: Picture) -> Reference:
        """Take a picture as the reference."""
        return cls(picture, look_at(picture), grey(picture, *_REGISTRATION_SIZE))

    def at(self, width: int, height: int) -> Reference:
        """Look at it again at the size at which the camera's pictures are decoded: sharpness depends on it."""
        return replace(self, look=look_at(halve(self.picture, width, height)))


@dataclass(slots=True)
class PictureCheck:
    """Finds what is wrong with the pictures of one camera; remembers the last ones."""

    limits: PictureConfig
    reference: Reference | None = None
    look: Look | None = field(init=False, default=None)  # of the last picture
    _content: int | None = field(init=False, default=None)
    _since_s: float = field(init=False, default=0.0)
    _size: tuple[int, ...] = field(init=False, default=())  # at which the reference was looked at
    _registered_s: float = field(init=False, default=float("-inf"))
    _off: list[float] = field(init=False, default_factory=list)  # the last shifts, as shares of the width

    def faults(self, picture: Image, now_mono_s: float, *, simulated: bool) -> tuple[Fault, ...]:
        """Say why the picture can't be judged; empty when it can.

        Args:
            picture: as it is going to be judged.
            now_mono_s: when it was taken, on the monotonic clock.
            simulated: it comes from a file, where repeated pictures are no fault.
        """
        look = self.look = look_at(picture)
        found = [*self._light(look)]
        if not simulated:
            found += self._frozen(look, now_mono_s)
        if self.reference is not None:
            found += self._against(self._fitting(self.reference, picture), look, picture, now_mono_s)
        return tuple(found)

    def _fitting(self, reference: Reference, picture: Image) -> Reference:
        """Give the reference at the size of what was decoded of `picture`."""
        height, width = size = decoded(picture).shape[:2]
        if size != self._size:
            self._size = size
            reference = self.reference = reference.at(width, height)
        return reference

    def _light(self, look: Look) -> list[Fault]:
        limits = self.limits
        if look.brightness < limits.dark_below:
            return [Fault("dark", f"mean brightness {look.brightness:.0f} is below {limits.dark_below:.0f}")]
        if look.brightness > limits.bright_above:
            return [Fault("saturated", f"mean brightness {look.brightness:.0f} is above {limits.bright_above:.0f}")]
        if look.variance > _NOISE_CONTRAST**2 and look.correlation < limits.noise_below:
            return [Fault("noise", f"neighbouring pixels correlate by {look.correlation:.2f} only")]
        return []

    def _frozen(self, look: Look, now_mono_s: float) -> list[Fault]:
        if look.content != self._content:
            self._content, self._since_s = look.content, now_mono_s
        same_s = now_mono_s - self._since_s
        return [Fault("frozen", f"the same picture for {same_s:.1f} s")] if same_s >= self.limits.frozen_s else []

    def _against(self, reference: Reference, look: Look, picture: Image, now_mono_s: float) -> list[Fault]:
        limits, meant = self.limits, reference.look
        if meant.contrast > _STRUCTURE and look.contrast < limits.covered_below * meant.contrast:
            share = look.contrast / meant.contrast
            return [Fault("covered", f"{share:.0%} of the reference's contrast is left: clean or uncover the lens")]
        if look.sharpness < limits.blurred_below * meant.sharpness:
            share = look.sharpness / meant.sharpness
            return [Fault("blurred", f"{share:.0%} of the reference's sharpness is left: check focus and lens")]
        if now_mono_s - self._registered_s >= _REGISTRATION_S:
            self._registered_s = now_mono_s
            self._off = [*self._off, _shift(reference.small, grey(picture, *_REGISTRATION_SIZE))][-_SURE:]
        if len(self._off) == _SURE and min(self._off) > limits.moved_above:
            return [Fault("moved", f"by {self._off[-1]:.1%} of the width against the reference: mount it as it was")]
        return []


def stale(age_s: float, limits: PictureConfig) -> tuple[Fault, ...]:
    """Say that a picture is too old to be judged, by its age on the monotonic clock."""
    if age_s <= limits.max_age_s:
        return ()
    return (Fault("stale", f"the picture is {age_s:.1f} s old, at most {limits.max_age_s:.1f} s are accepted"),)


@dataclass(slots=True)
class FormatCheck:
    """Notices that size or format of a live camera's pictures are not what they were, or were asked to be."""

    expected: tuple[int, int, str] | None  # width, height, format

    def faults(self, shot: Shot) -> tuple[Fault, ...]:
        """Say what is different about this one; the first one counts when nothing was asked for."""
        height, width = shot.picture.shape[:2]
        if self.expected is None:
            self.expected = width, height, shot.format
        if self.expected == (width, height, shot.format):
            return ()
        before, now = (f"{w}x{h} {name}".strip() for w, h, name in (self.expected, (width, height, shot.format)))
        return (Fault("wrong_format", f"{now} instead of {before}: check the camera's settings, then restart"),)


def _shift(meant: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Give how far the scene moved, as a share of the width; 0 where the two show nothing in common."""
    window = cv2.createHanningWindow(_REGISTRATION_SIZE, cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(meant, now, window)
    return float(np.hypot(x, y)) / _REGISTRATION_SIZE[0] if response > _PEAK else 0.0
