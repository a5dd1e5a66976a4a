"""Inspection: what was seen and decided for one frame; Event: one step in the life of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edge.mask import Coverage
    from edge.region import Region


class Verdict(Enum):
    """The words and codes of `ResultEvaluationEnum` in OPC 40001-101."""

    Undefined = 0
    OK = 1
    NotOK = 2
    NotDecidable = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds spent on one frame, by stage."""

    acquisition: float = 0.0  # from capture until the network's process held the frame
    preprocess: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0

    @property
    def total(self) -> float:
        """All stages together."""
        return self.acquisition + self.preprocess + self.inference + self.postprocess


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was seen and decided for one frame."""

    result_id: str  # unique for ever, a UUID
    camera: str
    verdict: Verdict
    reasons: tuple[str, ...]  # why not OK, one short sentence each; empty when OK
    regions: tuple[Region, ...]
    frame_id: int
    frame_width: int
    frame_height: int
    captured_at: float  # seconds since the epoch
    created_at: float  # seconds since the epoch
    age_s: float  # of the frame when the verdict was made, by the monotonic clock
    timings: Timings
    simulated: bool = False
    mm_per_px: float | None = None  # where the camera is calibrated to a plane
    class_shares: tuple[float, ...] = ()  # share of what was looked at per class of the model, 0 to 1
    coverage: Coverage | None = None  # none: the whole frame was looked at, in a single look


EventType = Literal["new", "update", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step in the life of an alert: it begins, goes on, or is over."""

    alert_id: str  # the same from new to end
    type: EventType
    inspection: Inspection
    evidence: str | None = None  # picture file, relative to the evidence folder; it follows within moments
    mask: str | None = None  # index PNG of the frame's size, likewise
    overlay: str | None = None  # picture with the regions drawn in, likewise
    clip: str | None = None  # video of the seconds around it, written when they have passed
