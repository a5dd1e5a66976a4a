"""Latency: from a frame in memory over verdict and commit to a subscriber, through the running daemon."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from contextlib import closing
from typing import TYPE_CHECKING

from edge.bench.ear import Heard, listening
from edge.bench.figures import Spread
from edge.bench.running import Running
from edge.camera_config import CameraConfig
from edge.capture.capture import frame_slot
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.outbox.outbox import Outbox
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.bench.site import Site

FPS = 10
_CAMERA = "c"
_LOOK_S = 0.002
_WARM = 10
_FEWEST = 5


def latency(site: Site, source: str, frames: int) -> list[Spread]:
    """Pass so many frames at an easy pace, each a part with an alert of its own.

    Raises:
        EdgeloupeError: the daemon does not start, or the model found nothing in the pictures, so that nothing is told.
    """
    config = site.config("latency", {_CAMERA: CameraConfig(source=source, loop=True, fps=FPS, alert_per="part")})
    captured: dict[int, float] = {}
    heard: list[Heard] = []
    with listening(site.broker_port) as ear, Running(config) as daemon:
        echoes: list[float] = ear.recv()
        daemon.wait_for(_WARM)
        with Slot(frame_slot(config.storage.runtime_dir, _CAMERA), read_only=True) as slot:
            last, until = slot.latest, time.monotonic() + frames / FPS
            while time.monotonic() < until:
                frame = slot.newest(last)
                if frame is not None:
                    last, captured[frame.meta["id"]] = frame.sequence, frame.meta["captured_mono_s"]
                while ear.poll(0):
                    heard.append(ear.recv())
                time.sleep(_LOOK_S)
        committing = _committing(config.storage.state_dir / "outbox.sqlite")
    first = {one.frame_id: one for one in reversed(heard)}  # of a part's messages the first is the alert
    known = [(captured[number], one) for number, one in first.items() if number in captured]
    if len(known) < _FEWEST:
        raise EdgeloupeError(f"the model found {len(known)} defects in {frames} pictures: alerts need some to be timed")
    return [
        _spread("frame to verdict", [one.age_s for _, one in known]),
        _spread("of it inference", [one.inference_s for _, one in known]),
        _spread("frame to commit begun", [committing[one.seq] - at for at, one in known if one.seq in committing]),
        _spread("frame to subscriber", [one.at_mono_s - at for at, one in known]),
        _spread("the same less inference", [one.at_mono_s - at - one.inference_s for at, one in known]),
        *_commits(site, frames),
        _spread("a message to the broker and back", echoes),
    ]


def _committing(path: Path) -> dict[int, float]:
    """Give when the commit of each alert began, on the monotonic clock."""
    ahead_s = time.time() - time.monotonic()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return {seq: at - ahead_s for seq, at in db.execute("SELECT seq, committed_at FROM alerts")}


def _commits(site: Site, count: int) -> list[Spread]:
    """Time durable commits of a small alert, and the flush alone that a commit waits for."""
    folder = site.folder(site.disk, "commits")
    alert = {"camera": _CAMERA, "alert_id": "a", "type": "update", "blob": "x" * 700}
    commits, flushes = [], []
    with Outbox(folder / "outbox.sqlite", SystemClock()) as outbox:
        for _ in range(count):
            began = time.perf_counter()
            outbox.commit([alert])
            commits.append(time.perf_counter() - began)
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            flushes.append(time.perf_counter() - began)
    return [_spread("one durable commit", commits), _spread("of it the flush (fdatasync)", flushes)]


def _spread(name: str, seconds: Sequence[float]) -> Spread:
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    return Spread(
        name=name,
        count=len(ordered),
        p50_ms=1000 * statistics.median(ordered),
        p90_ms=at(0.9),
        p99_ms=at(0.99),
        max_ms=1000 * ordered[-1],
    )
