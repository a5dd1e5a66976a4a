"""Daemons: what the running daemon costs: memory, start, throughput, and growth with viewers and cameras."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.bench.figures import Cameras, RunningDaemon, Throughput, Viewers
from edge.bench.running import Running
from edge.bench.viewer import address, looking
from edge.camera_config import CameraConfig
from edge.pictures.preview import view_slot
from edge.segment import open_segmenter
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.running import Reading
    from edge.bench.site import Site
    from edge.segment import Segmenter

VIEWED_FPS, EACH_FPS = 15.0, 4.0
"""Pictures a second of a camera that is looked at, and of each of many."""
_CAMERA = "c"
_SETTLED = 10  # frames


def running_daemon(site: Site, source: str) -> RunningDaemon:
    """Start a daemon with one camera, nobody looking, and see what it takes. Raises EdgeloupeError."""
    config = site.config("daemon", {_CAMERA: CameraConfig(source=source, loop=True, fps=VIEWED_FPS)})
    with Running(config) as daemon:
        first = daemon.first_verdict(_CAMERA)
        address(config.storage.runtime_dir)
        daemon.wait_for(_SETTLED)
        with Slot(view_slot(config.storage.runtime_dir, _CAMERA), read_only=True) as view:
            before = view.latest
            time.sleep(site.plan.window_s)
            unseen = view.latest - before
        return RunningDaemon(
            start_cpu_s=first.all_cpu_s,
            start_wall_s=first.at_s - daemon.began_s,
            memory_mb=daemon.memory_mb(),
            views_unseen=unseen,
        )


def throughput(site: Site) -> Throughput | None:
    """Pass decoded frames as fast as they go, and run the bare runtime as fast as it goes. Raises EdgeloupeError."""
    if not site.plan.throughput:
        return None
    with open_segmenter(site.bundle, None, 0) as segmenter:
        before = _bare_fps(segmenter, site.plan.window_s)
        config = site.config("fast", {_CAMERA: CameraConfig(source=f"belt:{site.pictures}")}, threads=0)
        with Running(config) as daemon:
            daemon.wait_for(_SETTLED)
            began, ended = _watch(daemon, site.plan.window_s)
        after = _bare_fps(segmenter, site.plan.window_s)
    whole = (ended.inspected - began.inspected) / (ended.at_s - began.at_s)
    return Throughput(bare_fps=max(before, after), whole_fps=whole)


def viewers(site: Site, source: str) -> list[Viewers]:
    """Let none, one and more look at a camera of 15 frames a second, in turns. Raises EdgeloupeError."""
    if not site.plan.viewers:
        return []
    config = site.config("viewers", {_CAMERA: CameraConfig(source=source, loop=True, fps=VIEWED_FPS)})
    found: dict[int, list[Viewers]] = {count: [] for count in site.plan.viewers}
    with Running(config) as daemon:
        daemon.wait_for(_SETTLED)
        address(config.storage.runtime_dir)
        for count in site.plan.viewers * site.plan.rounds:
            with looking(config.storage.runtime_dir, _CAMERA, count) as seen:
                began, before = daemon.reading(), seen()
                time.sleep(site.plan.window_s)
                ended, after = daemon.reading(), seen()
            found[count].append(_viewers(count, after - before, began, ended))
    return [_median(several) for several in found.values()]


def cameras(site: Site, source: str) -> list[Cameras]:
    """Run so many cameras of few frames a second each. Raises EdgeloupeError."""
    found = []
    for count in site.plan.cameras:
        names = [f"c{number}" for number in range(count)]
        config = site.config("cameras", {name: CameraConfig(source=source, loop=True, fps=EACH_FPS) for name in names})
        with Running(config) as daemon:
            daemon.wait_for(_SETTLED)
            began, ended = _watch(daemon, 2 * site.plan.window_s)
            memory = sum(daemon.memory_mb().values())
        seconds = ended.at_s - began.at_s
        found.append(
            Cameras(
                cameras=count,
                inspected_fps=(ended.inspected - began.inspected) / seconds,
                dropped=ended.dropped - began.dropped,
                cpu_ms_per_s=1000 * (ended.all_cpu_s - began.all_cpu_s) / seconds,
                memory_mb=memory,
            )
        )
    return found


def _watch(daemon: Running, seconds: float) -> tuple[Reading, Reading]:
    began = daemon.reading()
    time.sleep(seconds)
    return began, daemon.reading()


def _viewers(count: int, shown: int, began: Reading, ended: Reading) -> Viewers:
    seconds = ended.at_s - began.at_s
    return Viewers(
        viewers=count,
        shown_fps=shown / seconds / max(count, 1),
        cpu_ms_per_s=1000 * (ended.all_cpu_s - began.all_cpu_s) / seconds,
        web_cpu_ms_per_s=1000 * (ended.cpu_s["web"] - began.cpu_s["web"]) / seconds,
    )


def _median(several: Sequence[Viewers]) -> Viewers:
    return Viewers(
        viewers=several[0].viewers,
        shown_fps=statistics.median(one.shown_fps for one in several),
        cpu_ms_per_s=statistics.median(one.cpu_ms_per_s for one in several),
        web_cpu_ms_per_s=statistics.median(one.web_cpu_ms_per_s for one in several),
    )


def _bare_fps(segmenter: Segmenter, seconds: float) -> float:
    """Run the network on one input for so long."""
    width, height = 1024, 512
    prepared = segmenter.prepare(np.full((height, width, 3), 128, np.uint8))
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        segmenter.infer(prepared, width, height)
        count += 1
    return count / (time.perf_counter() - began)
