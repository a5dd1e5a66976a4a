"""Inspect: one frame in, one inspection out; the same code on the device, in the workshop and on the command line."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from edge.decide import decide
from edge.errors import ModelError, PictureError
from edge.fitness.picture_check import stale
from edge.inspection import Inspection, Timings, Verdict
from edge.regions import regions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.clock import Clock
    from edge.config import RuleConfig
    from edge.fitness.picture_check import PictureCheck
    from edge.frame import Frame
    from edge.mask import Mask
    from edge.picture import Picture
    from edge.segment import Sees
    from edge.zones import Zones


class Inspector:
    """Judges the frames of one camera; those that somebody looked at before, in several threads at once."""

    def __init__(
        self,
        segmenter: Sees,
        labels: Sequence[str],
        rules: Mapping[str, RuleConfig],
        check: PictureCheck,
        clock: Clock,
        zones: Zones | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._labels = tuple(labels)
        self._rules = rules
        self._check = check
        self._clock = clock
        self._zones = zones

    def inspect(self, frame: Frame) -> tuple[Inspection, Mask | None]:
        """Judge one frame; give what was decided, and the mask if there is one.

        A picture that can't be judged and a network that fails give NotDecidable with the reason, never an error.
        """
        taken = time.perf_counter()
        acquisition = self._clock.monotonic_s() - frame.captured_mono_s
        prepared = self._segmenter.prepare(frame.picture)
        ready = time.perf_counter()
        faults = tuple(str(fault) for fault in stale(acquisition, self._check.limits))
        faults += frame.faults if frame.faults is not None else self._look(frame)
        mask, faults = (None, faults) if faults else self._see(frame, prepared)
        inferred = time.perf_counter()
        found = regions(mask, self._labels, self._rules) if mask is not None else []
        if mask is not None and self._zones is not None:
            found = self._zones.tell(found, mask)
        shares = mask.shares(len(self._labels)) if mask is not None else ()
        if mask is None:
            verdict, reasons = Verdict.NotDecidable, faults
        else:
            of_object = dict(zip(self._labels, share_of_object(shares), strict=True))
            verdict, reasons = decide(found, of_object, self._rules)
        height, width = frame.picture.shape[:2]
        inspection = Inspection(
            result_id=str(uuid.uuid4()),
            camera=frame.camera,
            verdict=verdict,
            reasons=reasons,
            regions=tuple(found),
            frame_id=frame.id,
            frame_width=width,
            frame_height=height,
            captured_at=frame.captured_at,
            created_at=self._clock.wall_s(),
            age_s=max(self._clock.monotonic_s() - frame.captured_mono_s, 0.0),
            timings=Timings(
                acquisition=max(acquisition, 0.0),
                preprocess=ready - taken,
                inference=inferred - ready,
                postprocess=time.perf_counter() - inferred,
            ),
            simulated=frame.simulated,
            class_shares=shares,
            coverage=mask.coverage if mask is not None else None,
            mm_per_px=frame.mm_per_px,
        )
        return inspection, mask

    def _see(self, frame: Frame, prepared: Picture) -> tuple[Mask | None, tuple[str, ...]]:
        """Segment a frame that is fit to be judged; give why there is no mask where there is none."""
        try:
            mask = self._segmenter.see(frame.picture, prepared)
            if self._zones is not None:
                self._zones.fit(mask)
        except ModelError as error:
            return None, (f"model fault: {error}",)
        except PictureError as error:
            return None, (f"picture does not fit: {error}",)
        return mask, ()

    def _look(self, frame: Frame) -> tuple[str, ...]:
        """Look at a frame that nobody looked at before."""
        found = self._check.faults(frame.picture, frame.captured_mono_s, simulated=frame.simulated)
        return tuple(str(fault) for fault in found)


def share_of_object(shares: Sequence[float]) -> tuple[float, ...]:
    """Turn shares of the frame into shares of the object, that is of everything but class 0, the background."""
    whole = sum(shares[1:])
    return (0.0, *(share / whole if whole else 0.0 for share in shares[1:]))
