"""Plots: bars, spreads and lines as inline SVG; colours come from the page's style sheet, for light and dark."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.bench.figures import Spread

COLOURS = 8
"""Of parts; `bench.css` has as many."""
_IN_ORDER = (0, 3, 2, 1, 4, 5, 6, 7)  # inference, the fourth, is grey: it is what all else is compared with

_LEFT, _WIDTH, _RIGHT = 230, 420, 90
_ROW, _BAR = 34, 20
_COUNTED = 8  # up to here each value stands below its point


def stacked_bars(name: str, rows: Mapping[str, Sequence[tuple[str, float]]], marks: Mapping[str, float]) -> str:
    """Draw a bar per row, of parts one after the other in milliseconds, and a mark in each."""
    scale = _Scale(max(sum(value for _, value in parts) for parts in rows.values()))
    drawn = []
    for number, (row, parts) in enumerate(rows.items()):
        top, at = number * _ROW + 4, 0.0
        drawn.append(_label(row, top))
        for place, (part, value) in enumerate(parts):
            width = scale.px(value)
            drawn.append(
                f'<rect x="{_LEFT + at:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" class="s{colour_of(place)}">'
                f"<title>{escape(part)}: {value:.2f} ms</title></rect>"
            )
            at += width
        x = _LEFT + scale.px(marks[row])
        drawn.append(
            f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{top + _BAR + 4}" class="mark"/>'
            f'<text x="{_LEFT + at + 8:.1f}" y="{top + 15}" class="value">{sum(v for _, v in parts):.1f} ms</text>'
        )
    return _framed(name, drawn, len(rows), scale, "ms")


def bars(name: str, values: Mapping[str, float], unit: str) -> str:
    """Draw a bar per value."""
    scale = _Scale(max([*values.values(), 1e-9]))
    drawn = []
    for number, (row, value) in enumerate(values.items()):
        top, width = number * _ROW + 4, scale.px(value)
        drawn.append(
            f'{_label(row, top)}<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" class="s0"/>'
            f'<text x="{_LEFT + width + 8:.1f}" y="{top + 15}" class="value">{value:.1f} {escape(unit)}</text>'
        )
    return _framed(name, drawn, len(values), scale, unit)


def spreads(name: str, found: Sequence[Spread]) -> str:
    """Draw, for each, a line from the median over nine of ten to 99 of 100."""
    scale = _Scale(max(one.p99_ms for one in found))
    drawn = []
    for number, one in enumerate(found):
        top = number * _ROW + 4
        y = top + _BAR / 2
        p50, p90, p99 = (_LEFT + scale.px(value) for value in (one.p50_ms, one.p90_ms, one.p99_ms))
        drawn.append(
            f'{_label(one.name, top)}<line x1="{p50:.1f}" y1="{y}" x2="{p99:.1f}" y2="{y}" class="span"/>'
            f'<circle cx="{p50:.1f}" cy="{y}" r="6" class="s0"/><circle cx="{p90:.1f}" cy="{y}" r="4" class="s0"/>'
            f'<circle cx="{p99:.1f}" cy="{y}" r="4" class="end"/>'
            f'<text x="{p99 + 10:.1f}" y="{top + 15}" class="value">{one.p50_ms:.2f} / {one.p99_ms:.2f}</text>'
        )
    return _framed(name, drawn, len(found), scale, "ms")


def lines(name: str, xs: Sequence[float], series: Mapping[str, Sequence[float]], below: str, beside: str) -> str:
    """Draw each series over `xs`, both axes from zero, with a point per value."""
    left, base, width, height = 64, 232, 560, 210
    across, up = _Scale(max(xs), width), _Scale(max(max(values) for values in series.values()), height)
    drawn = [
        f'<line x1="{left}" y1="{base - up.px(tick):.1f}" x2="{left + width}" y2="{base - up.px(tick):.1f}" '
        f'class="grid"/><text x="{left - 8}" y="{base - up.px(tick) + 4:.1f}" text-anchor="end" class="tick">'
        f"{tick:g}</text>"
        for tick in up.ticks
    ]
    drawn += [
        f'<text x="{left + across.px(tick):.1f}" y="{base + 20}" text-anchor="middle" class="tick">{tick:g}</text>'
        for tick in (across.ticks if max(xs) > _COUNTED else xs)
    ]
    for place, (kind, values) in enumerate(series.items()):
        points = [(left + across.px(x), base - up.px(value)) for x, value in zip(xs, values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" class="line s{place % COLOURS}"/>')
        for (x, y), value in zip(points, values, strict=True):
            drawn.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="s{place % COLOURS}">'
                f"<title>{escape(kind)}: {value:.3g}</title></circle>"
            )
    return (
        f'<svg viewBox="0 0 {left + width + 24} {base + 48}" role="img" aria-label="{escape(name)}">{"".join(drawn)}'
        f'<text x="{left + width / 2}" y="{base + 42}" text-anchor="middle" class="axis">{escape(below)}</text>'
        f'<text transform="translate(14 {base - height / 2}) rotate(-90)" text-anchor="middle" class="axis">'
        f"{escape(beside)}</text></svg>"
    )


def colour_of(place: int) -> int:
    """Give the number of the colour of a stacked bar's part."""
    return _IN_ORDER[place % COLOURS]


class _Scale:
    """From zero to a round number above the largest value."""

    def __init__(self, most: float, width: float = _WIDTH) -> None:
        most = max(most, 1e-9)
        power = 10.0 ** math.floor(math.log10(most / 4))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power * 4 >= most)
        self.ticks = [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]
        self._per_unit = width / self.ticks[-1]

    def px(self, value: float) -> float:
        """Give the length of a value in the picture."""
        return value * self._per_unit


def _label(text: str, top: float) -> str:
    return f'<text x="{_LEFT - 10}" y="{top + 15}" text-anchor="end" class="label">{escape(text)}</text>'


def _framed(name: str, drawn: Sequence[str], rows: int, scale: _Scale, unit: str) -> str:
    base = rows * _ROW + 4
    grid = "".join(
        f'<line x1="{_LEFT + scale.px(tick):.1f}" y1="0" x2="{_LEFT + scale.px(tick):.1f}" y2="{base}" class="grid"/>'
        f'<text x="{_LEFT + scale.px(tick):.1f}" y="{base + 18}" text-anchor="middle" class="tick">{tick:g}</text>'
        for tick in scale.ticks
    )
    return (
        f'<svg viewBox="0 -6 {_LEFT + _WIDTH + _RIGHT} {base + 34}" role="img" aria-label="{escape(name)}">{grid}'
        f'{"".join(drawn)}<text x="{_LEFT + _WIDTH + 26}" y="{base + 18}" class="axis">{escape(unit)}</text></svg>'
    )
