"""Calibrating: one guided calibration, in a disposable process of the web's own that gives way to all others.

It looks at raw pictures of the camera as they cross, and heeds one word a line on its standard input; that input's end
is its own, so it never outlives the web process.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import cv2
import numpy as np

from edge.capture.guide import MOST, Guide
from edge.capture.raw import asked_slot, raw_slot
from edge.child import log_to_stderr
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.geometry.board import Board
from edge.geometry.calibration import FEWEST, maps, save
from edge.slot import Slot
from edge.web.attached import Attached

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.clock import Clock
    from edge.geometry.board import Sighting
    from edge.geometry.calibration import Calibration
    from edge.picture import Picture

Order: TypeAlias = Literal["views", "plane", "measure", "lens", "save"]
"""Gather views; enough, now the plane; this is the plane: measure; measure without one; write the file."""
ORDERS: tuple[Order, ...] = get_args(Order)
Phase: TypeAlias = Literal["views", "plane", "fitting", "fitted", "saved"]

CAPACITY = 8 << 20
GOOD_PX = 0.3
_IDLE_S, _LONGEST_S = 60.0, 3600.0
"""Nobody looks, or somebody forgot: it ends by itself."""
_LOOK_S = 0.05
_SILENT_S = 3.0
_NICER = 15
_MEMORY = 4 << 30
"""Of address space; the mapped slots alone have room for three pictures of the largest size."""
_SHOWN_PX = 960


def told_slot(runtime_dir: Path) -> Path:
    """Say where a calibration tells how it goes on."""
    return runtime_dir / "calibration.slot"


@dataclass(slots=True, kw_only=True)
class Session:
    """What was seen and measured so far. Belongs to one thread."""

    camera: str
    guide: Guide
    path: Path  # where the calibration is written to
    tell: Callable[[Session], None] = lambda _: None  # shows how it stands before what takes a while
    phase: Phase = field(init=False, default="views")
    trouble: str = field(init=False, default="")
    shown: Picture | None = field(init=False, default=None)
    made: Calibration | None = field(init=False, default=None)

    def see(self, picture: Picture) -> None:
        """Look at one picture; while views are gathered, keep those that teach something."""
        if self.phase not in ("views", "plane"):
            return
        if self.guide.sightings and self.guide.size != (picture.shape[1], picture.shape[0]):
            self.guide.forget()
            self.trouble = "the camera's pictures changed in size: begin again with the views"
        self.shown = picture
        if self.guide.look(picture) and self.phase == "views":
            self.guide.keep()
            if self.guide.covered.whole and len(self.guide.sightings) >= self.guide.views:
                self.phase = "plane"

    def heed(self, order: Order) -> None:
        """Do what the operator asks for; what can't be done is told as trouble."""
        self.trouble = ""
        try:
            match order:
                case "views":
                    self.phase, self.made, self.guide.plane = "views", None, None
                case "plane" if self.phase == "views":
                    self.phase = "plane"
                case "measure" | "lens" if self.phase in ("views", "plane"):
                    self._measure(with_plane=order == "measure")
                case "save" if self.made is not None:
                    self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    save(self.made, self.path)
                    self.phase = "saved"
        except (EdgeloupeError, OSError) as error:
            self.trouble = str(error)

    def _measure(self, *, with_plane: bool) -> None:
        guide = self.guide
        if with_plane and (guide.seen is None or guide.still < 1):
            self.trouble = "the board is not seen, or moves: lay it where parts will lie, and take your hands away"
            return
        guide.plane = guide.seen if with_plane else None
        before, self.phase = self.phase, "fitting"
        self.tell(self)
        try:
            self.made = guide.calibrate()
        except EdgeloupeError:
            self.phase = before
            raise
        self.phase = "fitted"
        if self.shown is not None:
            self.shown = np.asarray(cv2.remap(self.shown, *maps(self.made), cv2.INTER_LINEAR), np.uint8)

    def told(self) -> dict[str, Any]:
        """Write as plain values; places in the picture are shares of its width and height."""
        guide, looking = self.guide, self.phase in ("views", "plane")
        return {
            "camera": self.camera,
            "board": str(guide.board),
            "phase": self.phase,
            "trouble": self.trouble,
            "advice": guide.next_view() if self.phase == "views" else "",
            "size": guide.size,
            "seen": None if guide.seen is None or not looking else _shares(guide.seen.in_picture_px, guide.size),
            "still": round(guide.still, 2),
            "kept": len(guide.sightings),
            "wanted": guide.views,
            "fewest": FEWEST,
            "most": MOST,
            "outlines": [_outline(view, guide.size) for view in guide.sightings],
            "cells": guide.covered.cells,
            "leans": sorted(guide.covered.leans),
            "result": None if self.made is None else _result(self.made, self.path, self.camera),
        }

    def jpeg(self) -> bytes:
        """Encode what is shown, at most 960 pixels wide or high; empty before the first picture."""
        if self.shown is None:
            return b""
        height, width = self.shown.shape[:2]
        scale = min(1.0, _SHOWN_PX / max(width, height))
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = cv2.resize(self.shown, size, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()


def _shares(points: NDArray[Any], size: tuple[int, int]) -> list[list[float]]:
    found: list[list[float]] = np.round(points / size, 4).tolist()
    return found


def _outline(view: Sighting, size: tuple[int, int]) -> list[list[float]]:
    return _shares(np.asarray(cv2.convexHull(view.in_picture_px)).reshape(-1, 2), size)


def _result(made: Calibration, path: Path, camera: str) -> dict[str, Any]:
    yaml = f"cameras:\n  {camera}:\n    geometry:\n      calibration: {path}\n"
    return {
        "error_px": round(made.error_px, 3),
        "good": made.error_px <= GOOD_PX,
        "views": made.views,
        "mm_per_px": made.mm_per_px,
        "width": made.out_width or made.width,
        "height": made.out_height or made.height,
        "path": str(path),
        "yaml": yaml,
    }


class RawLook:
    """The other end of a camera's raw shelf: asks for the next picture whenever it looks."""

    def __init__(self, runtime_dir: Path, camera: str, clock: Clock) -> None:
        self._raw = Attached(raw_slot(runtime_dir, camera))
        self._asked = Attached(asked_slot(runtime_dir, camera), read_only=False)
        self._clock = clock
        self._last = 0

    def next(self) -> Picture | None:
        """Give a picture taken since the last look; None where there is none yet."""
        generation = self._raw.generation
        snapshot = self._raw.newest(self._last)
        if self._raw.generation != generation:
            self._last = 0
        picture = None
        if snapshot is not None:
            self._last = snapshot.sequence
            if self._clock.monotonic_s() - snapshot.meta["taken_mono_s"] < _SILENT_S:  # not left for somebody before
                copied = snapshot.arrays["picture"].copy()
                picture = copied if snapshot.intact() else None
        self._asked.mark_consumed(self._last + 1)
        return picture


def run(runtime_dir: Path, state_dir: Path, camera: str, board: str) -> None:
    """Calibrate until standard input ends. Raises ConfigError."""
    clock = SystemClock()
    path = (state_dir / "calibrations" / f"{camera}.json").absolute()
    session = Session(camera=camera, guide=Guide(Board.parse(board)), path=path)
    look = RawLook(runtime_dir, camera, clock)
    silent = f"camera {camera} gives no picture: see its state on the dashboard"
    began = heard = pictured = clock.monotonic_s()
    with Slot.create(told_slot(runtime_dir), CAPACITY) as slot:
        session.tell = partial(_tell, slot)
        session.tell(session)
        while (now := clock.monotonic_s()) < min(began + _LONGEST_S, heard + _IDLE_S):
            orders = _orders(_LOOK_S)
            if orders is None:
                return
            heard, trouble = now if orders else heard, session.trouble
            heeded = [order for order in ORDERS if order in orders]
            for order in heeded:
                session.heed(order)
            picture = look.next()
            if picture is not None:
                pictured = now
                session.trouble = "" if session.trouble == silent else session.trouble
                session.see(picture)
            elif now - pictured > _SILENT_S and not session.trouble:
                session.trouble = silent
            if picture is not None or heeded or session.trouble != trouble:
                session.tell(session)


def _orders(limit_s: float) -> list[str] | None:
    """Give the lines that came, the empty ones too; None at the input's end."""
    if not select.select([sys.stdin], [], [], limit_s)[0]:
        return []
    came = os.read(sys.stdin.fileno(), 4096)
    return came.decode("ascii", "replace").split("\n")[:-1] if came else None


def _tell(slot: Slot, session: Session) -> None:
    slot.write(session.told(), {"jpeg": np.frombuffer(session.jpeg(), np.uint8)})


def _give_way() -> None:
    """Take what is left of the processor, bounded memory, and be the first to go when there is none."""
    cv2.setNumThreads(1)
    limits = {resource.RLIMIT_AS: _MEMORY, resource.RLIMIT_CPU: round(_LONGEST_S), resource.RLIMIT_CORE: 0}
    for limit, most in limits.items():
        with contextlib.suppress(OSError, ValueError):  # the system's own is lower
            resource.setrlimit(limit, (most, most))
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    log_to_stderr("edgeloupe calibration")
    _give_way()
    run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
