"""Html: the report as one page with plots, which needs no network and can be sent."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from edge.bench.goals import about
from edge.bench.plots import bars, colour_of, lines, spreads, stacked_bars
from edge.bench.text import cpu_cells
from edge.page import facts, key, page, scroll, table, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.bench.figures import Growth, Report


def html(report: Report) -> str:
    """Write the page."""
    style = files("edge.bench").joinpath("bench.css").read_text(encoding="utf-8")
    title = f"{report.model['name']}: whole pipeline and bare runtime"
    head = f'<header><h1>{escape(title)}</h1></header><p class="soft">{escape(report.machine["processor"])}</p>'
    return page(title, head + tiles(_tiles(report)) + "".join(_sections(report)), style)


def _tiles(report: Report) -> Iterator[tuple[str, ...]]:
    for row in report.rows:
        yield f"{row.ratio:.2f} x", f"CPU, {row.frames_from}", f"bare runtime {row.raw_cpu_ms:.2f} ms"
    for spread in report.latency:
        if spread.name == "frame to subscriber":
            yield f"{spread.p50_ms:.1f} ms", "frame in memory to subscriber", f"p99 {spread.p99_ms:.1f} ms"
    if report.daemon is not None:
        yield f"{sum(report.daemon.memory_mb.values()):.0f} MB", "all processes", "one camera"


def _sections(report: Report) -> Iterator[str]:
    if report.goals:
        yield _section("Goals", _goals(report), about(report))
    if report.rows:
        yield _section("CPU per frame, by stage", _stages(report), "Dashed: the bare runtime.")
    if report.latency:
        yield _section(
            "Latency",
            scroll("Latency", spreads("Latency, median to 99 of 100", report.latency)) + _spreads(report),
            "Through the running daemon; every alert is on the disk before it is sent. Median / 99 of 100.",
        )
    yield from _daemon(report)
    if growth := "".join(_growth(report)):
        yield f'<div class="pair">{growth}</div>'
    if report.notes:
        yield _section("Not measured", "".join(f"<p>{escape(note)}</p>" for note in report.notes))
    yield _section("Measured on", facts([*report.machine.items(), *report.model.items(), ("command", report.command)]))


def _section(title: str, inner: str, note: str = "") -> str:
    below = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{inner}{below}</section>"


def _goals(report: Report) -> str:
    rows = [(goal.what, goal.measured, goal.goal, "yes" if goal.holds else "no") for goal in report.goals]
    text = table("Goals", ("what", "measured", "goal", "holds"), rows)
    return text.replace("<td>yes</td>", '<td class="good">yes</td>').replace("<td>no</td>", '<td class="bad">no</td>')


def _stages(report: Report) -> str:
    rows = {row.frames_from: [(stage.name, stage.cpu_ms) for stage in row.stages] for row in report.rows}
    names = [stage.name for stage in report.rows[0].stages]
    colours = key((f"var(--s{colour_of(number)})", name) for number, name in enumerate(names))
    marks = {row.frames_from: row.raw_cpu_ms for row in report.rows}
    plot = scroll("CPU per frame", stacked_bars("CPU milliseconds per frame, by stage", rows, marks))
    head = ("frames from", "bare CPU ms", "whole CPU ms", "ratio", "without decoding", *names)
    cells = [cpu_cells(row) for row in report.rows]
    wall = [
        (
            row.frames_from,
            f"{row.raw_wall_ms:.2f}",
            f"{row.whole_wall_ms:.2f}",
            *("-" if stage.wall_ms is None else f"{stage.wall_ms:.2f}" for stage in row.stages),
        )
        for row in report.rows
    ]
    return (
        f"{plot}{colours}{table('CPU per frame', head, cells)}"
        f'<h2 class="next">Wall time</h2>{table("Wall time", ("frames from", "bare ms", "whole ms", *names), wall)}'
    )


def _spreads(report: Report) -> str:
    head = ("ms", "count", "p50", "p90", "p99", "max")
    cells = [
        (one.name, str(one.count), *(f"{ms:.2f}" for ms in (one.p50_ms, one.p90_ms, one.p99_ms, one.max_ms)))
        for one in report.latency
    ]
    return table("Latency", head, cells)


def _daemon(report: Report) -> Iterator[str]:
    if report.daemon is not None:
        told = report.daemon
        note = (
            f"From start to first verdict: {told.start_cpu_s:.2f} s of CPU of all processes within "
            f"{told.start_wall_s:.1f} s. Views prepared while nobody looked: {told.views_unseen}."
        )
        yield _section("Memory", scroll("Memory", bars("Memory by process", told.memory_mb, "MB")), note)
    if report.throughput is not None:
        fast = {"bare runtime": report.throughput.bare_fps, "whole daemon": report.throughput.whole_fps}
        yield _section("Throughput", scroll("Throughput", bars("Frames a second", fast, "frames/s")))


def _growth(report: Report) -> Iterator[str]:
    if report.viewers:
        xs = [one.viewers for one in report.viewers]
        series = {
            "all processes": [one.cpu_ms_per_s / 10 for one in report.viewers],
            "dashboard": [one.web_cpu_ms_per_s / 10 for one in report.viewers],
        }
        note = f"A camera of 15 frames a second; each viewer got {report.viewers[-1].shown_fps:.1f} a second."
        yield _lines("Viewers", xs, series, "viewers", "% of a core", note)
    if report.cameras:
        xs = [one.cameras for one in report.cameras]
        cpu = {"all processes": [one.cpu_ms_per_s / 10 for one in report.cameras]}
        rates = ", ".join(f"{one.inspected_fps:.1f}" for one in report.cameras)
        note = f"Frames inspected a second: {rates}; {sum(one.dropped for one in report.cameras)} dropped."
        yield _lines("Cameras: CPU", xs, cpu, "cameras", "% of a core", note)
        memory = {"memory": [one.memory_mb for one in report.cameras]}
        yield _lines("Cameras: memory of all processes", xs, memory, "cameras", "MB")
    if report.regions:
        xs = [int(one.name.split()[0]) for one in report.regions]
        yield _lines("Regions", xs, _pair(report.regions), "regions in a frame", "CPU ms")
    if report.sizes:
        sizes = [one.name.split("x") for one in report.sizes]
        megapixels = [int(width) * int(height) / 1e6 for width, height in sizes]
        yield _lines("Picture size", megapixels, _pair(report.sizes), "megapixels", "CPU ms")


def _pair(found: Sequence[Growth]) -> dict[str, list[float]]:
    return {"whole": [one.whole_cpu_ms for one in found], "bare runtime": [one.raw_cpu_ms for one in found]}


def _lines(
    title: str, xs: Sequence[float], series: dict[str, list[float]], below: str, beside: str, note: str = ""
) -> str:
    colours = key((f"var(--s{number})", name) for number, name in enumerate(series)) if len(series) > 1 else ""
    values = table(
        title,
        (below, *series),
        [(f"{x:g}", *(f"{values[place]:.2f}" for values in series.values())) for place, x in enumerate(xs)],
    )
    return _section(title, scroll(title, lines(title, xs, series, below, beside)) + colours + values, note)
