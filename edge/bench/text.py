"""Text: the report as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.bench.goals import about
from edge.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bench.figures import Report, Row


def text(report: Report) -> str:
    """Write all tables that there are."""
    where = f"{report.machine['processor']}, {report.model['threads']} thread(s), {report.machine['runtime']}, medians"
    return "\n\n".join([where, *_tables(report), *(f"note: {note}" for note in report.notes)])


def cpu_cells(row: Row) -> tuple[str, ...]:
    """Write where a row's frames came from and what they cost: bare, whole, both ratios, then each stage."""
    figures = (row.raw_cpu_ms, row.whole_cpu_ms, row.ratio, row.ratio_decoded, *(stage.cpu_ms for stage in row.stages))
    return row.frames_from, *(f"{figure:.2f}" for figure in figures)


def _tables(report: Report) -> Iterator[str]:
    if report.rows:
        head = ("CPU ms per frame", "bare", "whole", "ratio", "decoded", *(one.name for one in report.rows[0].stages))
        yield table(
            head,
            [cpu_cells(row) for row in report.rows],
        )
    if report.latency:
        yield table(
            ("latency, ms", "p50", "p90", "p99", "max"),
            [
                (one.name, f"{one.p50_ms:.2f}", f"{one.p90_ms:.2f}", f"{one.p99_ms:.2f}", f"{one.max_ms:.2f}")
                for one in report.latency
            ],
        )
    if report.daemon:
        yield table(("memory", "MB"), [(name, f"{mb:.1f}") for name, mb in report.daemon.memory_mb.items()])
    yield from _growth(report)
    if report.goals:
        holds = {True: "yes", False: "no"}
        rows = [(goal.what, goal.measured, goal.goal, holds[goal.holds]) for goal in report.goals]
        yield f"{about(report)}\n\n{table(('goal', 'measured', 'should be', 'holds'), rows)}"


def _growth(report: Report) -> Iterator[str]:
    if report.viewers:
        yield table(
            ("viewers", "frames/s each", "CPU ms/s, all", "dashboard"),
            [
                (str(one.viewers), f"{one.shown_fps:.1f}", f"{one.cpu_ms_per_s:.1f}", f"{one.web_cpu_ms_per_s:.1f}")
                for one in report.viewers
            ],
        )
    if report.cameras:
        yield table(
            ("cameras", "frames/s", "dropped", "CPU ms/s", "memory MB"),
            [
                (
                    str(one.cameras),
                    f"{one.inspected_fps:.1f}",
                    str(one.dropped),
                    f"{one.cpu_ms_per_s:.1f}",
                    f"{one.memory_mb:.0f}",
                )
                for one in report.cameras
            ],
        )
    for name, found in (("regions", report.regions), ("picture size", report.sizes)):
        if found:
            yield table(
                (name, "bare CPU ms", "whole CPU ms", "ratio"),
                [(one.name, f"{one.raw_cpu_ms:.2f}", f"{one.whole_cpu_ms:.2f}", f"{one.ratio:.2f}") for one in found],
            )
