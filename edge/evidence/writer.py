"""Writer: the files that an alert names, written behind it by a thread, so that no alert waits for its picture."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import cv2

from edge.draw import overlay, thumbnail
from edge.evidence.store import SUFFIXES, encoded
from edge.pictures.image import bgr, pack
from edge.pictures.jpeg import Reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.evidence.store import EvidenceStore
    from edge.evidence_config import EvidenceKind
    from edge.inspection import Inspection
    from edge.mask import Mask
    from edge.pictures.image import Image

log = logging.getLogger(__name__)

MOST_BYTES = 64 << 20
"""Pictures that wait; one may be larger."""
AFTER_S = 0.03
"""So long an alert needs at most to be on its way: until then it has the processor and the disk to itself."""
STOP_S = 2.0
_PAUSE_S = 1.0
"""After a failure alerts name no files for so long; then one tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What lies behind one alert; nothing may be written over its picture."""

    files: Mapping[EvidenceKind, str]  # paths relative to the root
    picture: Image
    mask: Mask | None
    inspection: Inspection
    shown: bool  # the picture goes to `show`, too

    @property
    def size_bytes(self) -> int:
        """Memory that its picture holds."""
        return sum(array.nbytes for array in pack(self.picture)[1].values())


class EvidenceWriter:
    """Writes files behind alerts; one thread of the caller's asks, and a thread of its own writes.

    At most `MOST_BYTES` of pictures wait. What does not fit, and what can't be written, is counted as lost: an alert
    that is told already names a file then that never comes.
    """

    def __init__(
        self,
        store: EvidenceStore,
        kinds: Sequence[EvidenceKind],
        *,
        show: Callable[[str, bytes], None],
        hide: Callable[[Image], Image] | None = None,
    ) -> None:
        """Store.

        Args:
            store: where files go.
            kinds: which of them.
            show: takes a camera's name and a small JPEG with the regions drawn in; called in the writer's thread.
            hide: gives a picture without what nobody may see; what it raises loses the picture.
        """
        self._store = store
        self._kinds = kinds
        self._show = show
        self._hide = hide
        self._waiting: deque[tuple[float, Job]] = deque()  # when it may begin, monotonic
        self._held_bytes = 0
        self._change = threading.Condition()
        self._stopping = False
        self._lost = 0
        self._failed_mono_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Write what waits, for two seconds at most."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join(STOP_S)

    def promise(self, stem: str, *, masked: bool) -> Mapping[EvidenceKind, str] | None:
        """Say which files an alert may name, to be kept next; None, and counted, where they could not be written."""
        pausing = time.monotonic() < self._failed_mono_s + _PAUSE_S
        if pausing or self._is_full or not self._store.has_room():
            self._lose()
            return None
        kinds = [kind for kind in SUFFIXES if kind in self._kinds and (masked or kind != "mask")]
        return {kind: stem + SUFFIXES[kind] for kind in kinds}

    def keep(self, job: Job) -> None:
        """Have files written; never blocks."""
        with self._change:
            if not self._is_full:
                self._waiting.append((time.monotonic() + AFTER_S, job))
                self._held_bytes += job.size_bytes
                self._change.notify()

    def lose(self) -> None:
        """Count files that were promised and can't be kept."""
        self._lose()

    def take_lost(self) -> int:
        """Give how many alerts lost their files since the last time."""
        with self._change:
            lost, self._lost = self._lost, 0
        return lost

    @property
    def _is_full(self) -> bool:
        return self._held_bytes >= MOST_BYTES

    def _lose(self) -> None:
        with self._change:
            self._lost += 1

    # --- the thread

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                done = self._write(job)
            except Exception:
                log.exception("%s: evidence not kept", job.inspection.camera)
                done = False
            if not done:
                self._failed_mono_s = time.monotonic()
                self._lose()
            with self._change:
                self._held_bytes -= job.size_bytes

    def _next(self) -> Job | None:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return None
            begin_s, job = self._waiting.popleft()
            self._change.wait_for(lambda: self._stopping, max(begin_s - time.monotonic(), 0.0))
            return job

    def _write(self, job: Job) -> bool:
        """Write the files in the order of their kinds; say whether all are there."""
        picture = self._hide(job.picture) if self._hide else job.picture
        picture = picture if isinstance(picture, Reduced) else bgr(picture)
        done = all(
            self._store.write(path, content(kind, picture, job.mask, job.inspection))
            for kind, path in job.files.items()
        )
        if job.shown:
            self._show(job.inspection.camera, thumbnail(bgr(picture), job.inspection))
        return done


def content(kind: EvidenceKind, picture: Image, mask: Mask | None, inspection: Inspection) -> memoryview:
    """Give what stands in a file of one kind; without a mask, the mask's is the picture."""
    if kind == "mask" and mask is not None:
        return cv2.imencode(".png", mask.on_frame())[1].data
    return encoded(overlay(bgr(picture), inspection) if kind == "overlay" else picture)
