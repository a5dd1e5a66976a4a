"""Frame: one picture with the time it was taken; before that, the shot as a camera gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edge.pictures.image import Image
    from edge.pictures.jpeg import Jpeg

Codec = Literal["mjpeg", "h264", "hevc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One picture as it came encoded, to be kept without decoding and encoding it again."""

    codec: Codec
    data: bytes
    key: bool  # can be decoded without those before
    width: int
    height: int
    extradata: bytes = b""  # parameter sets that stand outside the packets, behind start codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture as a camera gave it."""

    picture: Image | Jpeg
    format: str = ""  # how it came, as `MJPG` or `h264 yuv420p`; a change in a running stream is a fault
    taken_mono_s: float | None = None  # when, exactly, on this machine's monotonic clock
    stamp_s: float | None = None  # when, on a clock of the source's own with any zero
    packet: Packet | None = None
    temperature_c: float | None = None  # of the sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of one camera."""

    camera: str
    id: int  # counts up from 1 since the camera was opened
    picture: Image
    captured_at: float  # seconds since the epoch, wall clock
    captured_mono_s: float  # the same moment on the monotonic clock: ages are computed from this one
    simulated: bool = False  # from a file, not from a lens
    faults: tuple[str, ...] | None = None  # why it can't be judged, in words; None when nobody looked yet
    mm_per_px: float | None = None  # where the camera is calibrated to a plane
    burst: tuple[int, int] | None = None  # which one of how many of the same part, from 1
