"""Goals: what the figures should be, beside what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.bench.figures import Goal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.bench.figures import Cameras, Report

RATIOS = {"1080p decoded": 1.15, "1080p H.264": 2.2, "1080p MJPEG": 2.2}
INSTANCE_RATIOS = {"1080p H.264": 1.10, "1080p H.264 shown": 1.15}
REFERENCE = "For a network of about 0.5 GFLOP at 256x256 in INT8, on one thread."
INSTANCES = "For a network of 640x640 in INT8 that keeps four objects apart, on one thread."
P50_MS, P99_MS = 4.0, 15.0
VIEWER, FURTHER_VIEWER = 0.4, 0.005
MEMORY_MB, CAMERA_MB, START_CPU_S = 300.0, 25.0, 2.0
THROUGHPUT = 0.9
CAMERAS_WITHIN, REGIONS_WITHIN = 0.05, 0.10


def goals(report: Report) -> list[Goal]:
    """Set beside each other what was measured and what should be, as `about` says of which network."""
    if report.instances:
        return [*_rows(report, INSTANCE_RATIOS)]
    return [*_rows(report, RATIOS), *_latency(report), *_daemon(report), *_viewers(report), *_growth(report)]


def about(report: Report) -> str:
    """Say what network the goals are for, on one thread."""
    return INSTANCES if report.instances else REFERENCE


def _rows(report: Report, ratios: Mapping[str, float]) -> Iterator[Goal]:
    for row in report.rows:
        if row.frames_from in ratios:
            most = ratios[row.frames_from]
            yield _at_most(f"{row.frames_from}: CPU of the whole over the bare runtime", row.ratio, most, "")


def _latency(report: Report) -> Iterator[Goal]:
    for spread in report.latency:
        if spread.name == "the same less inference":
            yield _at_most("frame in memory to subscriber, less inference, p50", spread.p50_ms, P50_MS, " ms")
            yield _at_most("the same, p99", spread.p99_ms, P99_MS, " ms")


def _daemon(report: Report) -> Iterator[Goal]:
    if report.daemon is not None:
        memory = sum(report.daemon.memory_mb.values())
        yield _at_most("memory of all processes, one camera", memory, MEMORY_MB, " MB")
        yield _at_most("CPU from start to first verdict", report.daemon.start_cpu_s, START_CPU_S, " s")
        yield _at_most("views prepared while nobody looks", report.daemon.views_unseen, 0, "")
    if report.throughput is not None:
        share = report.throughput.whole_fps / report.throughput.bare_fps
        yield Goal(
            what="throughput of the whole over the bare runtime's best, all cores, decoded frames",
            measured=f"{share:.2f}",
            goal=f"at least {THROUGHPUT:g}",
            holds=share >= THROUGHPUT,
        )


def _viewers(report: Report) -> Iterator[Goal]:
    by_count = {one.viewers: one for one in report.viewers}
    bare_ms = report.rows[0].raw_cpu_ms if report.rows else 0.0
    if 0 in by_count and 1 in by_count and bare_ms:
        per_frame = (by_count[1].cpu_ms_per_s - by_count[0].cpu_ms_per_s) / max(by_count[1].shown_fps, 1e-9)
        yield _at_most("one viewer, CPU per frame shown over the bare runtime", per_frame / bare_ms, VIEWER, "")
    most = max(by_count, default=0)
    if 1 in by_count and most > 1:
        further = (by_count[most].cpu_ms_per_s - by_count[1].cpu_ms_per_s) / (most - 1) / 1000
        yield _at_most("each further viewer, share of a core", 100 * further, 100 * FURTHER_VIEWER, " %")


def _growth(report: Report) -> Iterator[Goal]:
    if len(report.cameras) > 1:
        first, last = report.cameras[0], report.cameras[-1]
        each = (last.memory_mb - first.memory_mb) / (last.cameras - first.cameras)
        yield _at_most("memory of each further camera", each, CAMERA_MB, " MB")
        name = f"CPU of {first.cameras} to {last.cameras} cameras, off a straight line over frames"
        yield _at_most(name, 100 * _off_line(report.cameras), 100 * CAMERAS_WITHIN, " %")
    if len(report.regions) > 1:
        least = report.regions[0].ratio
        off = max(abs(one.ratio / least - 1) for one in report.regions)
        name = f"CPU, {report.regions[0].name} to {report.regions[-1].name}, off the former"
        yield _at_most(name, 100 * off, 100 * REGIONS_WITHIN, " %")


def _off_line(cameras: Sequence[Cameras]) -> float:
    """Say by which share the cost is at most off the straight line nearest to it, which begins with what rest costs."""
    line = np.polynomial.Polynomial.fit(
        [one.inspected_fps for one in cameras], [one.cpu_ms_per_s for one in cameras], 1
    )
    return max(abs(one.cpu_ms_per_s / float(line(one.inspected_fps)) - 1) for one in cameras)


def _at_most(what: str, measured: float, most: float, unit: str) -> Goal:
    return Goal(what=what, measured=f"{measured:.3g}{unit}", goal=f"at most {most:g}{unit}", holds=measured <= most)
