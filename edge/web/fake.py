"""Fake device: leaves what core and worker would leave, from drawn pictures; for tests and work on the dashboard."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np

from edge import payload
from edge.clock import SystemClock
from edge.config import RuleConfig
from edge.decide import decide
from edge.evidence.store import SUFFIXES, EvidenceStore, place
from edge.evidence.writer import content
from edge.health import HEALTH_CAPACITY, DeviceHealth, health_slot
from edge.inspection import Event, Inspection, Timings
from edge.mask import Mask
from edge.outbox.outbox import Outbox, OutboxReader
from edge.regions import regions
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.clock import Clock
    from edge.inspection import EventType
    from edge.picture import Picture
    from edge.written import Written

LABELS = ("background", "leaf", "lesion")
COLOURS = [None, [62, 166, 93], [230, 57, 70]]
WIDTH, HEIGHT = 640, 320
_VIEW_CAPACITY = 4 << 20


_SLOW_FPS = 0.1
"""Said of a camera that showed one picture only: it is not stale before half a minute, however slow the machine."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One drawn leaf with what a perfect network would say about it."""

    picture: Picture
    mask: Mask


class FakeDevice:
    """One device whose pictures and health are told by hand.

    Safe to share between threads; only `alert` belongs to the thread that made it, as the outbox does.
    `health` may be changed at will; `tell` publishes it.
    """

    def __init__(
        self, runtime_dir: Path, state_dir: Path, cameras: Sequence[str] = ("belt",), clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._frame = 0
        runtime_dir.mkdir(parents=True, exist_ok=True)
        state_dir.mkdir(parents=True, exist_ok=True)
        self._evidence = EvidenceStore(state_dir / "evidence")
        self._outbox = Outbox(state_dir / "outbox.sqlite", self._clock)
        self._committed = OutboxReader(state_dir / "outbox.sqlite")
        self._views = {name: Slot.create(runtime_dir / f"{name}.view", _VIEW_CAPACITY) for name in cameras}
        self._told = Slot.create(health_slot(runtime_dir), HEALTH_CAPACITY)
        model = payload.ModelInfo(name="leaf", release=3, sha256="5eed" * 16, target="openvino", precision="INT8")
        rules = {"lesion": RuleConfig(min_area_px=20)}
        self.recipe_id: str | None = None
        self.zones: dict[str, list[list[int]]] = {}  # corners by name
        self._context = payload.Context(device="bench", model=model, labels=LABELS, thresholds=rules)
        self.health = DeviceHealth("bench", dict.fromkeys(cameras), state_dir, self._clock)
        self.health.model = {name: getattr(model, name) for name in payload.ModelInfo.__slots__}
        self.health.model |= {"labels": LABELS, "colours": COLOURS}
        for camera in self.health.cameras.values():
            camera.state = "live"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for slot in (*self._views.values(), self._told):
            slot.close()
        self._outbox.close()

    def show(self, camera: str, *, lesions: int = 0, age_s: float = 0.02) -> Mapping[str, Any]:
        """Inspect a leaf with so many lesions, a little further along each time, and publish it; give the result."""
        with self._lock:
            self._frame += 1
            return self._inspect(camera, draw(self._frame, lesions), age_s)[0]

    def alert(self, camera: str, *kinds: EventType, lesions: int = 2) -> list[int]:
        """Publish a leaf with lesions and commit its alert, step by step; give the numbers."""
        with self._lock:
            self._frame += 1
            drawn = draw(self._frame, lesions)
            result, inspection = self._inspect(camera, drawn, 0.02)
        stem = place(inspection.captured_at, camera, inspection.result_id)
        for kind, suffix in SUFFIXES.items():
            self._evidence.write(stem + suffix, content(kind, drawn.picture, drawn.mask, inspection))
        files = {"evidence": f"{stem}.jpg", "mask": f"{stem}.mask.png", "overlay": f"{stem}.overlay.jpg"}
        alert_id = str(uuid.uuid4())
        events = [Event(alert_id=alert_id, type=step, inspection=inspection, **files) for step in kinds or ("new",)]
        return self._outbox.commit([payload.alert(event, result) for event in events])

    def tell(self, *, age_s: float = 0.0) -> None:
        """Publish the health, as if it had been `age_s` ago."""
        mqtt = {"configured": True, "connected": True, "detail": "", "protocol": 5, "published": 7, "pending": 0}
        sinks = {"erp": {"connected": True, "detail": "", "published": 5, "refused": 1, "behind": 2}}
        names = ("epoch", "first_seq", "last_seq")
        outbox = {name: getattr(self._committed, name) for name in names}
        outbox["pending"] = self._committed.pending_count
        with self._lock:
            for camera in self.health.cameras.values():
                camera.fps = camera.fps or _SLOW_FPS
            told = self.health.told(mqtt=mqtt, sinks=sinks, outbox=outbox, evidence_bytes=4096, processes={})
            told |= {"recipe_id": self.recipe_id, "written_mono_s": told["written_mono_s"] - age_s}
            self._told.write(told, {})

    def _inspect(self, camera: str, drawn: Drawn, age_s: float) -> tuple[Written, Inspection]:
        mask = drawn.mask
        shares = np.bincount(mask.classes.ravel(), minlength=len(LABELS)) / mask.classes.size
        found = tuple(regions(mask, LABELS, self._context.thresholds))
        of_object = {"lesion": float(shares[2] / shares[1:].sum())}
        verdict, reasons = decide(found, of_object, self._context.thresholds)
        now = self._clock.wall_s()
        inspection = Inspection(
            result_id=str(uuid.uuid4()),
            camera=camera,
            verdict=verdict,
            reasons=reasons,
            regions=found,
            frame_id=self._frame,
            frame_width=WIDTH,
            frame_height=HEIGHT,
            captured_at=now - age_s,
            created_at=now,
            age_s=age_s,
            timings=Timings(acquisition=0.004, preprocess=0.002, inference=0.011, postprocess=0.003),
            simulated=True,
            class_shares=tuple(float(share) for share in shares),
        )
        result = payload.result(inspection, self._context)
        meta = {"result": dict(result), "labels": LABELS, "colours": COLOURS, "zones": {"": self.zones}}
        planes = {"classes": mask.classes, "scores": mask.scores}
        self._views[camera].write(meta, {"picture": drawn.picture, **planes})
        health = self.health.cameras[camera]
        health.frames += 1
        health.count(result, 0, self._clock.monotonic_s(), payload.defects(inspection, self._context))
        return result, inspection


def draw(number: int, lesions: int) -> Drawn:
    """Draw a leaf on a pale belt; it moves with the picture's number, its lesions with it."""
    picture = np.full((HEIGHT, WIDTH, 3), (214, 218, 220), np.uint8)
    classes = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    x = WIDTH // 2 + round(60 * np.sin(number / 9))
    y = HEIGHT // 2
    small = (x // 2, y // 2)
    cv2.ellipse(picture, (x, y), (210, 96), 0, 0, 360, (70, 140, 62), -1, cv2.LINE_AA)
    cv2.line(picture, (x - 205, y), (x + 205, y), (96, 168, 92), 3, cv2.LINE_AA)
    cv2.ellipse(classes, small, (105, 48), 0, 0, 360, 1, -1)
    for lesion in range(lesions):
        at = x - 120 + 80 * lesion, y - 30 + 50 * (lesion % 2)
        cv2.circle(picture, at, 18, (40, 62, 98), -1, cv2.LINE_AA)
        cv2.circle(classes, (at[0] // 2, at[1] // 2), 9, 2, -1)
    scores = np.full_like(classes, 235)
    return Drawn(picture, Mask(classes=classes, scores=scores, frame_width=WIDTH, frame_height=HEIGHT))


def play(device: FakeDevice, cameras: Sequence[str], stop: threading.Event, period_s: float = 0.1) -> None:
    """Show leaves and tell health until stopped; every third second has lesions."""
    number = 0
    while not stop.wait(period_s):
        number += 1
        for camera in cameras:
            device.show(camera, lesions=2 if number * period_s % 3 > 2 else 0)
        device.tell()
