"""Evaluation table: the figures of an evaluation in aligned columns, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.table import table
from models.metrics.resamples import MIN_GROUPS
from quantize.charts import percent

if TYPE_CHECKING:
    from quantize.evaluation import Estimate, Evaluation, SizeBin


def evaluation_table(told: Evaluation) -> str:
    """Print an evaluation: what counts, then each class, then its objects, those of the focus class by size."""
    severity = told.severity
    told_of_severity = (
        f"severity error: mean {severity.mean_points:.2f} pt ({severity_span(told)}), "
        f"median {severity.median_points:.2f}, largest {severity.max_points:.2f}"
    )
    return "\n\n".join((_first(told), _classes(told), _objects(told), *_sizes(told), told_of_severity))


def _first(told: Evaluation) -> str:
    data = told.dataset
    rows = [(name, percent(e.value), span(e)) for name, e in headlines(told)]
    rows += [(name, percent(value), "") for name, value in singles(told)]
    return table((f"{data.pictures} pictures, {data.groups} groups", "value", "95 % interval"), rows)


def _classes(told: Evaluation) -> str:
    head = ("class", "IoU", "95 % interval", "boundary IoU", "precision", "recall", "F1")
    shares = [(c, (c.boundary_iou.value, c.precision, c.recall, c.f1)) for c in told.classes]
    return table(head, [(c.name, percent(c.iou.value), span(c.iou), *map(percent, rest)) for c, rest in shares])


def _objects(told: Evaluation) -> str:
    head = ("objects", "found", "missed", "false", "found share", "95 % interval")
    return table(
        head,
        [
            (c.name, str(o.found), str(o.missed), str(o.false), percent(o.recall.value), span(o.recall))
            for c in told.classes
            if (o := c.objects)
        ],
    )


def _sizes(told: Evaluation) -> list[str]:
    rows = [
        (size_name(size), str(size.found), str(size.missed), str(size.false))
        for size in sizes(told)
        if size.found + size.missed + size.false
    ]
    return [table((f"{told.focus} by size", "found", "missed", "false"), rows)] if rows else []


def sizes(told: Evaluation) -> tuple[SizeBin, ...]:
    """List the objects of the focus class by size."""
    return next((c.objects.by_size for c in told.classes if c.name == told.focus and c.objects), ())


def headlines(told: Evaluation) -> list[tuple[str, Estimate]]:
    """List the figures that stand first, with their names."""
    decision = told.decision
    at = f"{' or '.join(decision.rejecting)} from score {decision.threshold:g} on"
    focus = next(c for c in told.classes if c.name == told.focus)
    rows = [
        (f"IoU {focus.name}", focus.iou),
        *([(f"{focus.name} objects found", focus.objects.recall)] if focus.objects else []),
        ("mean IoU", told.mean_iou),
        ("mean boundary IoU", told.mean_boundary_iou),
        ("pixel accuracy", told.pixel_accuracy),
        (f"escape rate, {decision.defective} defective {decision.unit}s, {at}", decision.escape),
        (f"false-reject rate, {decision.good} good {decision.unit}s", decision.false_reject),
    ]
    if told.aupro:
        rows.append(("AUPRO, false positive rate up to 0.3", told.aupro))
    if told.panoptic:
        rows.append(("panoptic quality", told.panoptic.pq))
    return rows


def singles(told: Evaluation) -> list[tuple[str, float | None]]:
    """List the figures without an interval."""
    rows: list[tuple[str, float | None]] = []
    if told.average_precision:
        known = told.average_precision
        rows += [("mask AP", known.ap), ("mask AP50", known.ap50), ("mask AP75", known.ap75)]
    if told.panoptic:
        rows += [("segmentation quality", told.panoptic.sq), ("recognition quality", told.panoptic.rq)]
    if told.reliability:
        rows.append(("expected calibration error", told.reliability.error))
    if told.defect_reliability:
        rows.append(
            (
                f"calibration error of pixels seen as {' or '.join(told.decision.rejecting)}",
                told.defect_reliability.error,
            )
        )
    return rows


def span(estimate: Estimate) -> str:
    """Write an interval, or why there is none."""
    if estimate.value is None:
        return ""
    if estimate.interval is None:
        return f"undecidable, {estimate.groups} group{'' if estimate.groups == 1 else 's'}"
    return " to ".join(f"{100 * v:.1f}" for v in estimate.interval) + " %"


def severity_span(told: Evaluation) -> str:
    """Write the interval of the mean error of severity, or why there is none."""
    if told.dataset.groups < MIN_GROUPS:
        return f"undecidable, {told.dataset.groups} groups"
    return "{:.2f} to {:.2f} pt".format(*told.severity.mean_interval)


def size_name(size: SizeBin) -> str:
    """Write a range of sizes."""
    return f"{size.from_px} px and more" if size.below_px is None else f"{size.from_px} to {size.below_px - 1} px"
