"""Evaluation report: an evaluation for people, one page of HTML that needs no network, the worst pictures first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import ConfigError
from edge.page import facts, key, page, scroll, table, tiles
from edge.picture import read_picture
from models.annotation import IGNORE
from models.metrics import iou
from models.metrics.blobs import FALSE, FOUND, MISSED, OVERLAP
from models.whole_file import whole_file
from quantize.charts import percent, rate_curves, reliability_diagram, severity_scatter, size_bars
from quantize.evaluation_table import headlines, severity_span, singles, size_name, sizes, span
from quantize.explanation import GRADIENT, explain_class, heated
from quantize.overlay import WIDTH, Row, class_colour, data_uri, marked, overlay, shrunk, strip
from quantize.score import severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from quantize.evaluate import Measured, Model
    from quantize.evaluation import Evaluation
    from quantize.measure import PictureMeasure, Terms

WORST = 10
CAPTIONS = ("Picture", "Truth", "Seen", "Difference", "What it rests on")
LOST, INVENTED = (213, 94, 0), (86, 180, 233)  # RGB; Okabe and Ito's vermilion and sky blue


def write_evaluation(
    path: Path, told: Evaluation, measured: Measured, model: Model, terms: Terms, command: str
) -> None:
    """Write the report to `path`, whole or not at all; the pictures that it shows are looked at once more.

    Raises:
        DatasetError, PictureError, ModelError: as measuring them does.
        ConfigError: `path` can't be written.
    """
    rows = [_row(why, item, model, terms) for why, item in pick(measured.pictures, terms)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_text(render(told, measured.pictures, model, rows, command), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--report {path}: {error.strerror or error}: name a file that can be written") from error


def render(
    told: Evaluation, pictures: Sequence[PictureMeasure], model: Model, rows: Sequence[Row], command: str
) -> str:
    """Give the page."""
    data = told.dataset
    title = f"{told.model.name} on {data.name}"
    groups = f" in {data.groups} groups" if data.groups < data.pictures else ""
    return page(
        f"{title}: evaluation",
        f'<header><h1>{escape(title)}</h1><span class="badge">{escape(told.model.form)}</span></header>'
        f'<p class="soft">{data.pictures} pictures{groups}, {escape(data.split)} split, at full picture resolution. '
        "Ranges are 95 % intervals, drawn over groups.</p>"
        f"{_skipped(told)}{_tiles(told)}"
        f"<section><h2>By class</h2>{_classes(told)}</section>"
        f"<section><h2>What is taken for what</h2>{_confusion(told)}</section>"
        f'<div class="pair">{_charts(told, pictures, model.focus)}</div>'
        f"{_gallery(told, model, rows)}"
        f"<section><h2>How it was measured</h2>{_facts(told, command)}</section>",
    )


def pick(pictures: Sequence[PictureMeasure], terms: Terms) -> list[tuple[str, PictureMeasure]]:
    """Choose the worst pictures, by the class that comes out worst on each, and one in the middle and the best."""
    ranked = sorted(
        (measured for measured in pictures if _worst(measured, terms)),
        key=lambda measured: (_worst(measured, terms) or (1.0, 0))[0],
    )
    chosen = [(f"Worst, {place}", measured) for place, measured in enumerate(ranked[:WORST], start=1)]
    if len(ranked) > WORST + 1:
        chosen.append(("In the middle", ranked[max(WORST, len(ranked) // 2)]))
    if len(ranked) > WORST:
        chosen.append(("Best", ranked[-1]))
    return chosen


def _worst(measured: PictureMeasure, terms: Terms) -> tuple[float, int] | None:
    """Give the lowest IoU of a class on a picture and the class; None where there is nothing but the first class."""
    counts = measured.score.counts
    least_px = terms.least_px(int(counts.sum()))
    shown = [
        (value, index)
        for index, value in enumerate(iou(counts).tolist())
        if index and counts[index].sum() + counts[:, index].sum() >= least_px
    ]
    return min(shown, default=None)


def _row(why: str, measured: PictureMeasure, model: Model, terms: Terms) -> Row:
    value, index = _worst(measured, terms) or (1.0, model.focus)
    picture, truth = read_picture(measured.sample.picture), measured.sample.class_map(model.classes)
    seen = model.see(picture).classes
    filled = {index, model.focus, *terms.rejecting}
    drawn = [shrunk(p) for p in (picture, *(overlay(picture, m, model.classes, filled) for m in (truth, seen)))]
    wrong = (seen != truth) & (truth != IGNORE)
    lost, invented = (_spread(wrong & np.isin(plane, list(filled))) for plane in (truth, seen))
    drawn.append(marked(drawn[0], [(invented, INVENTED), (lost, LOST)]))
    if model.segmenter and (why_seen := explain_class(model.segmenter, picture, index)):
        drawn.append(heated(drawn[0], why_seen.heat))
    found, missed, false = (int(measured.score.blobs[index, kind].sum()) for kind in (FOUND, MISSED, FALSE))
    return Row(
        why=why,
        name=measured.sample.picture.name,
        told=f"{measured.sample.picture.name}: {terms.names[index]}, IoU {percent(value)}; "
        f"{found} found, {missed} missed, {false} false",
        pictures=tuple(zip(CAPTIONS, map(data_uri, drawn), strict=False)),
    )


def _spread(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen marks by a pixel of the shrunk picture to each side, so that the smallest are seen."""
    side = 2 * round(where.shape[1] / WIDTH) + 1
    return np.asarray(cv2.dilate(where.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _skipped(told: Evaluation) -> str:
    if not told.skipped:
        return ""
    listed = "".join(f"<li>{escape(one)}</li>" for one in told.skipped)
    return (
        f"<details><summary>{len(told.skipped)} could not be used and were skipped</summary><ul>{listed}</ul></details>"
    )


def _tiles(told: Evaluation) -> str:
    shown = [(percent(e.value), span(e), name) for name, e in headlines(told)]
    shown += [(percent(value), "", name) for name, value in singles(told)]
    shown.append((f"{told.severity.mean_points:.2f} pt", severity_span(told), "mean error of severity"))
    return tiles(shown)


def _classes(told: Evaluation) -> str:
    head = ("Class", "IoU", "95 %", "Boundary IoU", "Precision", "Recall", "F1", "Found", "Missed", "False")
    rows = [
        (
            c.name,
            percent(c.iou.value),
            span(c.iou),
            *map(percent, (c.boundary_iou.value, c.precision, c.recall, c.f1)),
            *(map(str, (c.objects.found, c.objects.missed, c.objects.false)) if c.objects else ("", "", "")),
        )
        for c in told.classes
    ]
    least = f"{told.min_object_px} pixels" if told.min_object_px else "1/32768 of its picture, 9 to 64 pixels"
    return (
        f"{table('Figures by class', head, rows)}"
        f'<p class="soft">An object is a connected blob of at least {least}; it is found when at least '
        f"{100 * OVERLAP:g} % of it are covered. Boundary IoU looks at pixels within 2 % of the diagonal of an outline."
        "</p>"
    )


def _confusion(told: Evaluation) -> str:
    names = [c.name for c in told.classes]
    heads = "".join(f'<th scope="col">seen as {escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(names, told.confusion, strict=True):
        shares = [pixels / max(1, sum(row)) for pixels in row]
        cells = "".join(f'<td style="--share:{share:.3f}">{percent(share)}</td>' for share in shares)
        rows.append(f'<tr><th scope="row">{escape(name)}, {sum(row):,} pixels</th>{cells}</tr>')
    inner = f'<table class="heat"><thead><tr><th scope="col">True class</th>{heads}</tr></thead>'
    return scroll("Confusion of classes", f"{inner}<tbody>{''.join(rows)}</tbody></table>")


def _charts(told: Evaluation, pictures: Sequence[PictureMeasure], focus: int) -> str:
    charts = []
    if shown := [(size_name(size), size) for size in sizes(told) if size.found + size.missed]:
        names = key((("var(--int8)", "found"), ("var(--bad)", "missed")))
        charts.append((f"{told.focus} by size", names + size_bars(shown)))
    decision = told.decision
    if decision.defective or decision.good:
        names = key(
            (
                ("var(--bad)", f"escape: defective {decision.unit}s that pass"),
                ("var(--int8)", f"false reject: good {decision.unit}s that don't"),
            )
        )
        charts.append(("What the threshold does", names + rate_curves(decision)))
    truth, seen = ([severity(p.score.counts.sum(axis=axis), focus) for p in pictures] for axis in (1, 0))
    if any(truth):
        charts.append(("Severity by picture", severity_scatter(truth, {"int8": seen})))
    if told.defect_reliability:
        seen_as = escape(" or ".join(decision.rejecting))
        note = f'<p class="soft">Pixels seen as {seen_as}, by how sure the model is of them. {_calibration(told)}</p>'
        charts.append(("Is it as sure as it is right?", note + reliability_diagram(told.defect_reliability)))
    return "".join(f"<section><h2>{escape(name)}</h2>{inner}</section>" for name, inner in charts)


def _calibration(told: Evaluation) -> str:
    done = told.model.calibration
    if not done:
        return "Its confidence is as training left it."
    (before, after), (all_before, all_after) = (map(percent, pair) for pair in (done.focus_error, done.error))
    return (
        f"Its logits were divided by {done.temperature:.2f}, which {done.pictures} validation pictures asked for; on "
        f"those the calibration error of pixels seen as {escape(told.focus)} went from {before} to {after}, and that "
        f"of all pixels from {all_before} to {all_after}."
    )


def _gallery(told: Evaluation, model: Model, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    filled = {told.focus, *told.decision.rejecting}
    colours = [
        (f"rgb{class_colour(model.classes, i)}", spec.name + ("" if spec.name in filled else " (outline)"))
        for i, spec in enumerate(model.classes)
        if i
    ]
    colours += [(f"rgb{LOST}", "missed"), (f"rgb{INVENTED}", "seen where it is not")]
    if any(len(row.pictures) == len(CAPTIONS) for row in rows):
        colours.append((GRADIENT, "what the class that comes out worst rests on: not at all, to most"))
    return f"<section><h2>Pictures, worst first</h2>{key(colours)}{''.join(map(strip, rows))}</section>"


def _facts(told: Evaluation, command: str) -> str:
    model, data = told.model, told.dataset
    return facts(
        (
            ("Model", f"{model.file}, {model.form}, {model.task}"),
            ("SHA-256", model.sha256),
            ("Data set", f"{data.name}, {data.split} split: {data.pictures} pictures, {data.groups} groups"),
            ("Defective", f"{' or '.join(told.decision.rejecting)}: {told.decision.defective} {told.decision.unit}s"),
            ("Command", command),
            ("Machine", told.machine),
            ("Tools", ", ".join(f"{name} {version}" for name, version in told.tools.items())),
        )
    )
