"""Frames through worker and outbox without a network: `python -m tests.soak.frames [FRAMES]`, 1,000,000 unless told.

What is held is counted after a tenth of them and at the end: it must not have grown.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from edge.bell import Bell, inspection_bell
from edge.camera_config import CameraConfig
from edge.capture.capture import frame_slot
from edge.capture.clip import CLIP_CAPACITY, clip_slot
from edge.clock import SystemClock
from edge.config import Config, ModelConfig, RuleConfig, StorageConfig
from edge.evidence.store import EvidenceStore
from edge.outbox.outbox import Outbox
from edge.pictures.preview import TAKEN_CAPACITY, taken_slot, view_slot
from edge.slot import Slot
from edge.supervise import FORK, Supervised, share
from edge.worker import run_worker
from tests.scripted import make_bundle
from tests.soak.command import command

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FRAMES = 1_000_000
CAMERAS = ("left", "right")
_EVERY = 500
"""One picture in so many has a defect."""
_TRIM = 2000
_WARM = 2000
"""Frames until every path was taken."""
_GROWN_BYTES = 2 << 20
"""What an allocator may keep of its own accord."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the worker and this process hold."""

    anonymous_bytes: int  # memory that no file lies behind
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run found."""

    frames: int
    inspected: int
    alerts: int
    early: Held
    late: Held

    @property
    def clean(self) -> bool:
        """Whether every frame was inspected and nothing grew."""
        return (
            self.inspected == self.frames
            and self.alerts > 0
            and self.late.descriptors <= self.early.descriptors
            and self.late.threads <= self.early.threads
            and self.late.anonymous_bytes - self.early.anonymous_bytes <= _GROWN_BYTES
        )


def run(frames: int, folder: Path, *, lanes: int = 2) -> Figures:
    """Send `frames` pictures through a worker with `lanes` lanes."""
    config = Config(
        device="soak",
        model=ModelConfig(bundle=make_bundle(folder / "scripted.loupe"), lanes=lanes),
        cameras={name: CameraConfig(source="file:nowhere", alert_per="part") for name in CAMERAS},
        rules={"spot": RuleConfig(min_area_px=20)},
        storage=StorageConfig(state_dir=folder / "state", runtime_dir=folder),
    )
    for name in CAMERAS:
        for path, capacity in ((frame_slot(folder, name), 1 << 20), (view_slot(folder, name), 1 << 20)):
            Slot.create(path, capacity).close()
        Slot.create(taken_slot(folder, name), TAKEN_CAPACITY).close()
        Slot.create(clip_slot(folder, name), CLIP_CAPACITY).close()
    ours, theirs = FORK.Pipe(duplex=False)
    share(camera.source for camera in config.cameras.values())
    worker = Supervised(name="worker", target=run_worker, arguments=lambda: (config, theirs), clock=SystemClock())
    worker.tend()
    theirs.close()
    try:
        with Outbox(folder / "outbox.sqlite", SystemClock()) as outbox:
            return _feed(frames, folder, ours, outbox, [os.getpid(), worker.pid or 0])
    finally:
        worker.stop()
        ours.close()


def _feed(frames: int, folder: Path, worker: Connection, outbox: Outbox, pids: list[int]) -> Figures:
    plain = np.full((120, 160, 3), 128, np.uint8)
    spot = plain.copy()
    spot[40:80, 60:100] = (0, 0, 255)
    evidence = EvidenceStore(folder / "state" / "evidence")
    slots = [Slot(frame_slot(folder, name)) for name in CAMERAS]
    bell = Bell(inspection_bell(folder))
    while _receive(worker)["kind"] != "ready":
        pass
    early: Held | None = None
    inspected = alerts = sent = 0
    with tqdm(total=frames, unit="frame", disable=None) as bar:
        while inspected < frames:
            for slot in slots:
                if sent < frames and slot.consumed == slot.latest:
                    slot.write(_meta(sent), {"picture": plain if sent % _EVERY else spot})
                    sent += 1
                    bell.ring()
            while worker.poll(0.002) and inspected < frames:
                message = worker.recv()
                if message["kind"] != "inspected":
                    continue
                inspected += 1
                bar.update()
                if message["alerts"]:
                    alerts += len(message["alerts"])
                    outbox.acknowledge(outbox.commit(message["alerts"]))
                if inspected % _TRIM == 0:
                    evidence.trim(0)
                    outbox.prune(-1, keep_rows=100)
                if inspected == min(max(frames // 10, _WARM), frames):
                    early = _held(pids)
    for slot in slots:
        slot.close()
    late = _held(pids)
    return Figures(frames=frames, inspected=inspected, alerts=alerts, early=early or late, late=late)


def _receive(worker: Connection) -> dict[str, Any]:
    if not worker.poll(60.0):
        raise TimeoutError("the worker says nothing")
    message: dict[str, Any] = worker.recv()
    return message


def _meta(number: int) -> dict[str, Any]:
    meta = {"id": number + 1, "captured_at": time.time(), "captured_mono_s": time.monotonic()}
    return {**meta, "simulated": True, "faults": [], "mm_per_px": None, "burst": None}


def _held(pids: list[int]) -> Held:
    return Held(
        anonymous_bytes=sum(_anonymous_bytes(pid) for pid in pids),
        descriptors=sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
        threads=sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids),
    )


def _anonymous_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    command(run, FRAMES, "/dev/shm")
