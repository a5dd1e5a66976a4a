"""Charts: inline SVG for the report; colours come from the page's style sheet, so both light and dark mode fit."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quantize.evaluation import DecisionFigures, ReliabilityFigures, SizeBin
    from quantize.figures import LayerSensitivity, Parity


MINUS = "\N{MINUS SIGN}"

QUARTERS = (0, 0.25, 0.5, 0.75, 1)

RADIUS_PX = {"float-ring": 5.5, "int8": 3}


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


def severity_scatter(truth: Sequence[float], predicted: Mapping[str, Sequence[float]]) -> str:
    """Draw predicted over true severity, a mark per picture for each style in `predicted`; shares of 0 to 1."""
    top = _nice(max([0.01, *truth, *(value for values in predicted.values() for value in values)]))
    frame = _Square([(100 * top * step / 4, top * step / 4) for step in range(5)], "truth, %", "predicted, %")
    marks = []
    for style, values in predicted.items():
        for t, value in zip(truth, values, strict=True):
            x, y = frame.place(t / top, value / top)
            marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS_PX[style]}" class="{style}"/>')
    return frame.draw("Severity, predicted over true", frame.diagonal() + "".join(marks))


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


def size_bars(sizes: Sequence[tuple[str, SizeBin]]) -> str:
    """Draw objects found and missed, a bar per size; each size comes with its name."""
    left, width, height = 150, 190, 30
    most = max([1, *(size.found + size.missed for _, size in sizes)])
    rows = []
    for number, (name, size) in enumerate(sizes):
        top, found, missed = number * height, width * size.found / most, width * size.missed / most
        rows.append(
            f'<text x="{left - 10}" y="{top + 19}" text-anchor="end" class="tick">{escape(name)}</text>'
            f'<rect x="{left}" y="{top + 5}" width="{found:.1f}" height="20" class="int8"/>'
            f'<rect x="{left + found:.1f}" y="{top + 5}" width="{missed:.1f}" height="20" class="bad"/>'
            f'<text x="{left + found + missed + 8:.1f}" y="{top + 19}" class="value">'
            f"{size.found} / {size.found + size.missed}</text>"
        )
    told = "; ".join(f"{name}: {size.found} of {size.found + size.missed}" for name, size in sizes)
    return (
        f'<svg viewBox="0 0 {left + width + 76} {height * len(sizes)}" role="img" '
        f'aria-label="Objects found, by size. {escape(told)}">{"".join(rows)}</svg>'
    )


def layer_bars(layers: Sequence[LayerSensitivity]) -> str:
    """Draw what rounding each layer alone costs, in the order of the data's way: the masks above, the logits below."""
    left, width, height, gap = 52, 600, 110, 34
    bar = width / max(len(layers), 1)
    parts = []
    for row, (what, shares) in enumerate(
        (
            ("mask lost, %", [one.mask_loss for one in layers]),
            ("error of logits, %", [10 ** (-one.snr_db / 20) for one in layers]),
        )
    ):
        base, most = row * (height + gap) + height + 10, _nice(max([1e-4, *shares]))
        for share in (0, 0.5, 1):
            y = base - height * share
            parts.append(
                f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" class="grid"/>'
                f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" class="tick">{100 * most * share:.3g}</text>'
            )
        for number, (one, share) in enumerate(zip(layers, shares, strict=True)):
            tall = height * share / most
            parts.append(
                f'<rect x="{left + number * bar + 0.5:.1f}" y="{base - tall:.1f}" width="{max(bar - 1, 0.5):.1f}" '
                f'height="{tall:.1f}" class="int8"><title>{escape(one.layer)} ({escape(one.operator)}): '
                f"{100 * share:.3f} %</title></rect>"
            )
        parts.append(f'<text x="{left}" y="{base - height - 2:.1f}" class="axis" dy="-2">{what}</text>')
    end = 2 * (height + gap) + 24
    return (
        f'<svg viewBox="0 -8 {left + width + 12} {end}" role="img" '
        f'aria-label="What rounding each of {len(layers)} layers alone costs masks and logits">{"".join(parts)}'
        f'<text x="{left + width / 2}" y="{end - 26}" text-anchor="middle" class="axis">'
        f"{len(layers)} layers, from the picture to the masks</text></svg>"
    )


def rate_curves(decision: DecisionFigures) -> str:
    """Draw escape rate and false-reject rate over the threshold, and the threshold at which they were measured."""
    frame = _Square([(100 * s, s) for s in QUARTERS], "region score asked for, %", "parts, %")
    lines = []
    for style, rates in (
        ("bad", [(p.threshold, p.escape) for p in decision.curve]),
        ("int8", [(p.threshold, p.false_reject) for p in decision.curve]),
    ):
        places = [frame.place(t, rate) for t, rate in rates if rate is not None]
        lines.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" class="line {style}"/>')
    (x, base), (_, top) = frame.place(decision.threshold, 0), frame.place(decision.threshold, 1)
    chosen = f'<line x1="{x:.1f}" y1="{base:.1f}" x2="{x:.1f}" y2="{top:.1f}" class="ideal"/>'
    for style, estimate in (("bad", decision.escape), ("int8", decision.false_reject)):
        if estimate.value is not None:
            y = frame.place(0, estimate.value)[1]
            chosen += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{style}"/>'
    return frame.draw(
        f"Rates over the threshold; at {decision.threshold:g}: escape {percent(decision.escape.value)}, "
        f"false reject {percent(decision.false_reject.value)}",
        chosen + "".join(lines),
    )


def reliability_diagram(told: ReliabilityFigures) -> str:
    """Draw how often the network is right over how sure it is, a bar per bin."""
    frame = _Square([(100 * s, s) for s in QUARTERS], "confidence, %", "right, %")
    bars = []
    for number, one in enumerate(told.bins):
        if one.accuracy is None:
            continue
        (x0, base), (x1, y) = (
            frame.place(number / len(told.bins), 0),
            frame.place((number + 1) / len(told.bins), one.accuracy),
        )
        bars.append(
            f'<rect x="{x0 + 1:.1f}" y="{y:.1f}" width="{x1 - x0 - 2:.1f}" height="{base - y:.1f}" class="int8"/>'
        )
    name = f"Reliability; expected calibration error {percent(told.error)}"
    return frame.draw(name, "".join(bars) + frame.diagonal())


class _Square:
    """A square plot of shares with the same ticks on both axes."""

    SIDE, LEFT, BASE = 300, 52, 312

    def __init__(self, ticks: Sequence[tuple[float, float]], below: str, beside: str) -> None:
        self._ticks = ticks  # what is written, and where, 0 to 1
        self._names = (below, beside)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Give the pixel of a point in shares of the sides."""
        return self.LEFT + self.SIDE * x, self.BASE - self.SIDE * y

    def diagonal(self) -> str:
        """Draw where both axes say the same."""
        (x0, y0), (x1, y1) = self.place(0, 0), self.place(1, 1)
        return f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" class="ideal"/>'

    def draw(self, name: str, inner: str) -> str:
        """Give the picture; `name` tells it to those who can't see it."""
        last = self._ticks[-1][1]
        grid = []
        for text, share in self._ticks:
            x, y = self.place(share / last, share / last)
            grid.append(
                f'<line x1="{self.LEFT}" y1="{y:.1f}" x2="{self.LEFT + self.SIDE}" y2="{y:.1f}" class="grid"/>'
                f'<text x="{self.LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" class="tick">{text:g}</text>'
                f'<text x="{x:.1f}" y="{self.BASE + 18}" text-anchor="middle" class="tick">{text:g}</text>'
            )
        below, beside = self._names
        middle = self.BASE - self.SIDE / 2
        return (
            f'<svg viewBox="0 0 {self.LEFT + self.SIDE + 20} {self.BASE + 46}" role="img" aria-label="{escape(name)}">'
            f"{''.join(grid)}{inner}"
            f'<text x="{self.LEFT + self.SIDE / 2}" y="{self.BASE + 40}" text-anchor="middle" class="axis">'
            f'{below}</text><text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle" class="axis">'
            f"{beside}</text></svg>"
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
