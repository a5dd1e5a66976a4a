"""Camera state: what a capture process tells about its camera, and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from edge.fitness.picture_check import FaultKind

if TYPE_CHECKING:
    from pathlib import Path

    from edge.slot import Slot

Word = Literal["connecting", "live", "waiting", "stalled", "failed", "refused", "stopped", "finished"]
CameraState = Literal[Word, FaultKind]
"""`waiting`: sound, and nobody wants a picture; `failed`: can't be opened or was lost; `stopped`: by command; the rest
are picture faults."""
SOUND: tuple[CameraState, ...] = ("live", "waiting", "finished")
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)

STATE_CAPACITY = 64 * 1024


def state_slot(runtime_dir: Path, camera: str) -> Path:
    """Say where the state of `camera` is told."""
    return runtime_dir / f"{camera}.camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTold:
    """One account of a camera."""

    state: CameraState = "connecting"
    detail: str = ""
    frames: int = 0  # handed on to be inspected
    told_mono_s: float = 0.0
    given: bool = False  # the present process had a picture already
    expected: tuple[int, int, str] | None = None  # width, height and format that pictures should have
    troubles: dict[str, int] = field(default_factory=dict)  # how often each fault began
    brightness: float | None = None  # averaged over the last seconds
    colour: tuple[float, float, float] | None = None  # blue, green, red, likewise
    temperature_c: float | None = None

    @classmethod
    def read(cls, slot: Slot) -> Self:
        """Give what was told last; nothing yet is `connecting`."""
        told = slot.newest()
        if told is None:
            return cls()
        meta: dict[str, Any] = dict(told.meta)
        for name in ("expected", "colour"):
            meta[name] = None if meta[name] is None else tuple(meta[name])
        return cls(**meta)

    def write(self, slot: Slot) -> None:
        """Tell."""
        slot.write(asdict(self), {})
