"""Charts: inline SVG for the report; colours come from the page's style sheet, so both light and dark mode fit."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantize.figures import Parity


MINUS = "\N{MINUS SIGN}"


def iou_bars(parity: Parity) -> str:
    """Draw IoU by class, float above INT8."""
    rows = []
    height, left, width = 62, 132, 420
    for number, (name, drop) in enumerate(parity.drop_points.items()):
        top = number * height + 6
        rows.append(f'<text x="{left - 12}" y="{top + 23}" text-anchor="end" class="label">{escape(name)}</text>')
        for offset, kind, value in ((0, "float", parity.float_.iou[name]), (20, "int8", parity.int8.iou[name])):
            length = width * (value or 0.0)
            rows.append(
                f'<rect x="{left}" y="{top + offset}" width="{width}" height="16" rx="3" class="track"/>'
                f'<rect x="{left}" y="{top + offset}" width="{length:.1f}" height="16" rx="3" class="{kind}"/>'
                f'<text x="{left + width + 10}" y="{top + offset + 12.5}" class="value">{percent(value)}</text>'
            )
        rows.append(f'<text x="{left + width + 84}" y="{top + 23}" class="drop">{signed(-drop)} pt</text>')
    total = len(parity.drop_points) * height
    return (
        f'<svg viewBox="0 0 {left + width + 160} {total}" role="img" aria-label="IoU by class, float and INT8">'
        f"{''.join(rows)}</svg>"
    )


def severity_scatter(truth: Sequence[float], float_: Sequence[float], int8: Sequence[float]) -> str:
    """Draw predicted over true severity, one pair of marks per picture; shares of 0 to 1."""
    top = _nice(max([*truth, *float_, *int8, 0.01]))
    size, left, base = 360, 56, 376

    def place(x: float, y: float) -> tuple[float, float]:
        return left + size * x / top, base - size * y / top

    grid = []
    for step in range(5):
        share = top * step / 4
        x, y = place(share, share)
        grid.append(
            f'<line x1="{left}" y1="{y:.1f}" x2="{left + size}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" class="tick">{100 * share:g}</text>'
            f'<text x="{x:.1f}" y="{base + 18}" text-anchor="middle" class="tick">{100 * share:g}</text>'
        )
    marks = []
    for t, f, q in zip(truth, float_, int8, strict=True):
        (x, y), (_, y8) = place(t, f), place(t, q)
        marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" class="float-ring"/>'
            f'<circle cx="{x:.1f}" cy="{y8:.1f}" r="3" class="int8"/>'
        )
    return (
        f'<svg viewBox="0 0 {left + size + 16} {base + 46}" role="img" aria-label="Severity, predicted over true">'
        f'{"".join(grid)}<line x1="{left}" y1="{base}" x2="{left + size}" y2="{base - size}" class="ideal"/>'
        f"{''.join(marks)}"
        f'<text x="{left + size / 2}" y="{base + 40}" text-anchor="middle" class="axis">truth, %</text>'
        f'<text transform="translate(14 {base - size / 2}) rotate(-90)" text-anchor="middle" class="axis">'
        "predicted, %</text></svg>"
    )


def iou_curve(float_: Sequence[float], int8: Sequence[float]) -> str:
    """Draw the IoU of each picture, sorted by float, one pair of marks per picture; shares of 0 to 1."""
    width, left, top, height = 560, 44, 10, 170
    pairs = sorted((f, q) for f, q in zip(float_, int8, strict=True) if not math.isnan(f + q))
    grid = "".join(
        f'<line x1="{left}" y1="{top + height * (1 - s):.1f}" x2="{left + width}" y2="{top + height * (1 - s):.1f}" '
        f'class="grid"/><text x="{left - 8}" y="{top + height * (1 - s) + 4:.1f}" text-anchor="end" class="tick">'
        f"{100 * s:g}</text>"
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    marks = []
    for number, (f, q) in enumerate(pairs):
        x = left + width * (number + 0.5) / len(pairs)
        marks.append(
            f'<circle cx="{x:.1f}" cy="{top + height * (1 - f):.1f}" r="5" class="float-ring"/>'
            f'<circle cx="{x:.1f}" cy="{top + height * (1 - q):.1f}" r="2.8" class="int8"/>'
        )
    return (
        f'<svg viewBox="0 0 {left + width + 8} {top + height + 34}" role="img" aria-label="IoU by picture, sorted">'
        f'{grid}{"".join(marks)}<text x="{left + width / 2}" y="{top + height + 28}" text-anchor="middle" class="axis">'
        f"{len(pairs)} pictures, sorted; %</text></svg>"
    )


def percent(value: float | None) -> str:
    """Write a share as a percentage, or a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.2f} %"


def signed(points: float) -> str:
    """Write points with their sign; zero has none."""
    text = f"{points:+.2f}".replace("-", MINUS)
    return "0.00" if text[1:] == "0.00" else text


def _nice(value: float) -> float:
    """Round up to 1, 2, 4 or 8 times a power of ten, so that quarters are round; at most 1."""
    power = 10.0 ** math.floor(math.log10(value))
    return min(next(m * power for m in (1, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 4, 4.8, 6, 8, 10) if m * power >= value), 1.0)
