"""Examine: a shot in, when it was taken and why it can't be judged out; remembers what the camera gave before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ConfigError, PictureError
from edge.fitness.picture_check import Fault, FormatCheck, PictureCheck, Reference
from edge.picture import read_picture
from edge.pictures.jpeg import Jpeg
from edge.timeline import ClockWentBackError, Timeline

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig, PictureConfig
    from edge.clock import Clock
    from edge.frame import Shot
    from edge.geometry.straighten import Geometry
    from edge.pictures.image import Image

WHOLE = (0, 0)
"""Wanted of a JPEG: all of its pixels."""
_SLOWLY = 0.02
"""Weight of each picture in the averages of brightness and colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is known about one shot."""

    picture: Image  # straightened
    taken_mono_s: float
    faults: tuple[Fault, ...]
    brightness: float  # averaged over the last pictures
    colour: tuple[float, float, float]
    temperature_c: float | None


class Examiner:
    """Looks at every shot of one camera."""

    def __init__(
        self, config: CameraConfig, limits: PictureConfig, clock: Clock, expected: tuple[int, int, str] | None
    ) -> None:
        """Read the reference picture. Raises ConfigError."""
        self._limits = limits
        self._clock = clock
        self._timeline = Timeline()
        self._format = FormatCheck(expected)
        self._check = PictureCheck(limits, _reference(config))
        self._average: tuple[float, ...] | None = None

    @property
    def expected(self) -> tuple[int, int, str] | None:
        """Width, height and format that the camera's pictures should have."""
        return self._format.expected

    def begin(self) -> None:
        """Take it that the source is opened anew: its stamps may begin anywhere."""
        self._timeline = Timeline()

    def examine(
        self,
        shot: Shot,
        geometry: Geometry,
        arrived_mono_s: float,
        *,
        steady: bool,
        wanted: tuple[int, int] = WHOLE,
    ) -> Examined:
        """Look at one shot and straighten it; one of another size or format stays as it came.

        Args:
            shot: the newest.
            geometry: straightens it.
            wanted: width and height that a JPEG must at least be decoded to.
            arrived_mono_s: when it came.
            steady: of a stream whose pictures are alike in size and never quite the same.

        Raises:
            PictureError: the picture is damaged.
        """
        faults: list[Fault] = [*self._format.faults(shot)] if steady else []
        came = _decoded(shot.picture, wanted if geometry.straight else WHOLE)
        picture = came if faults else geometry.apply(came)
        taken = arrived_mono_s if shot.taken_mono_s is None else min(shot.taken_mono_s, arrived_mono_s)
        try:
            if shot.taken_mono_s is None:
                taken = self._timeline.place(shot.stamp_s, arrived_mono_s)
        except ClockWentBackError as error:
            faults.append(Fault("clock", str(error)))
        faults += self._check.faults(picture, arrived_mono_s, simulated=not steady)
        if shot.temperature_c is not None and shot.temperature_c > self._limits.hot_above_c:
            faults.append(Fault("overheated", f"the sensor is at {shot.temperature_c:.0f} °C: cool or shade it"))
        blue, green, red, brightness = self._averages()
        return Examined(
            picture=picture,
            taken_mono_s=taken,
            faults=tuple(faults),
            brightness=brightness,
            colour=(blue, green, red),
            temperature_c=shot.temperature_c,
        )

    def _averages(self) -> tuple[float, ...]:
        look = self._check.look
        if look is None:
            return (0.0, 0.0, 0.0, 0.0)
        now = (*look.colour, look.brightness)
        before = self._average or now
        self._average = tuple(b + _SLOWLY * (n - b) for b, n in zip(before, now, strict=True))
        return self._average


def _decoded(picture: Image | Jpeg, wanted: tuple[int, int]) -> Image:
    return picture.reduced(*wanted) if isinstance(picture, Jpeg) else picture


def _reference(config: CameraConfig) -> Reference | None:
    if config.reference is None:
        return None
    try:
        return Reference.of(read_picture(config.reference))
    except PictureError as error:
        raise ConfigError(f"cameras: reference = {error}: take one with `edgeloupe cameras --snapshot`") from error
