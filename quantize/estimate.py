"""Estimate: the figures of an evaluation, with how far each could have come out otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge.machine import processor
from models import metrics
from models.metrics import blobs, escape
from models.metrics.aupro import aupro
from models.metrics.boundary import boundary_iou
from models.metrics.panoptic import panoptic_quality
from models.metrics.resamples import MIN_GROUPS, Resamples, interval, wilson
from quantize.evaluation import (
    ClassFigures,
    CurvePoint,
    DecisionFigures,
    Estimate,
    Evaluation,
    ObjectFigures,
    PanopticFigures,
    PrecisionFigures,
    ReliabilityBin,
    ReliabilityFigures,
    SizeBin,
)
from quantize.receipt import DatasetFacts, tool_versions
from quantize.score import objects, severity_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models.metrics import Counts, Floats
    from models.metrics.average_precision import Instances
    from models.metrics.reliability import Reliability
    from quantize.evaluate import Measured, Model
    from quantize.measure import PictureMeasure, Terms

    Statistic = Callable[[NDArray[np.number]], Floats]
    """From summed counts (…, *shape of one picture's counts) to a figure (…)."""

THRESHOLD = 0.5
"""What `rules` on the device ask of a region's score where nobody says otherwise."""

CURVE = np.linspace(0, 1, 101)


def conclude(
    model: Model, measured: Measured, terms: Terms, dataset: tuple[str, str], faults: Sequence[str] = ()
) -> Evaluation:
    """Put the measured pictures together; `dataset` is its name and the split's, `faults` what was skipped before."""
    pictures = measured.pictures
    groups = [p.sample.group for p in pictures]
    draws = Resamples(groups)
    counts = np.stack([p.score.counts for p in pictures])
    boundary = np.stack([p.boundary for p in pictures])
    name, split = dataset
    return Evaluation(
        model=model.facts,
        dataset=DatasetFacts(name=name, split=split, pictures=len(pictures), groups=len(set(groups))),
        skipped=(*faults, *measured.skipped),
        machine=processor(),
        tools=tool_versions(),
        focus=terms.names[model.focus],
        min_object_px=terms.min_object_px,
        mean_iou=_estimate(counts, lambda c: metrics.mean_of_classes(metrics.iou(c)), draws),
        mean_boundary_iou=_estimate(boundary, lambda c: metrics.mean_of_classes(boundary_iou(c)), draws),
        pixel_accuracy=_estimate(counts, metrics.pixel_accuracy, draws),
        classes=tuple(_class(i, name, pictures, counts, boundary, draws) for i, name in enumerate(terms.names)),
        confusion=tuple(tuple(int(v) for v in row) for row in counts.sum(axis=0)),
        severity=severity_figures([p.score for p in pictures], model.focus, draws),
        decision=_decision(pictures, terms, groups),
        reliability=_reliability(measured.pools.reliability),
        defect_reliability=_reliability(measured.pools.defect_reliability),
        aupro=_aupro(pictures, draws),
        average_precision=_precision(measured.pools.instances, terms.names),
        panoptic=_panoptic(pictures, terms.names, draws),
    )


def _estimate(
    values: NDArray[np.number], statistic: Statistic, draws: Resamples, present: NDArray[np.bool_] | None = None
) -> Estimate:
    """Compute `statistic` of summed `values`, (N, …), and its interval; `present` marks those with a say in it."""
    groups = draws.groups_with(np.ones(len(values), np.bool_) if present is None else present)
    between = interval(statistic(draws.sums(values))) if groups >= MIN_GROUPS else None
    if between in {(0.0, 0.0), (1.0, 1.0)}:
        between = wilson(between[0], groups)
    return Estimate(value=_number(statistic(values.sum(axis=0))), interval=between, groups=groups)


def _class(
    index: int, name: str, pictures: Sequence[PictureMeasure], counts: Counts, boundary: Counts, draws: Resamples
) -> ClassFigures:
    present = counts[:, index].sum(axis=1) > 0
    pooled = counts.sum(axis=0)
    return ClassFigures(
        name=name,
        pixels=int(pooled[index].sum()),
        iou=_estimate(counts, lambda c: metrics.iou(c)[..., index], draws, present),
        boundary_iou=_estimate(boundary[:, index], boundary_iou, draws, present),
        precision=_number(metrics.precision(pooled)[index]),
        recall=_number(metrics.recall(pooled)[index]),
        f1=_number(metrics.f1(pooled)[index]),
        objects=_objects(np.stack([p.score.blobs[index] for p in pictures]), draws) if index else None,
    )


def _objects(counts: Counts, draws: Resamples) -> ObjectFigures:
    with_objects = counts[:, (blobs.FOUND, blobs.MISSED)].sum(axis=(1, 2)) > 0
    pooled = counts.sum(axis=0)
    edges = (0, *blobs.EDGES_PX, None)
    return ObjectFigures(
        **objects(pooled).model_dump(),
        recall=_estimate(counts, blobs.found_share, draws, with_objects),
        by_size=tuple(
            SizeBin(from_px=edges[i] or 0, below_px=edges[i + 1], found=found, missed=missed, false=false)
            for i, (found, missed, false) in enumerate(pooled.T.tolist())
        ),
    )


def _decision(pictures: Sequence[PictureMeasure], terms: Terms, groups: Sequence[str]) -> DecisionFigures:
    seen = escape.Parts(np.array([p.certainty for p in pictures]), np.array([p.defective for p in pictures]))
    parts = escape.join(seen, groups)
    draws = Resamples(sorted(set(groups)))
    outcomes = escape.outcomes(parts, THRESHOLD)
    curve = [(float(t), *escape.rates(escape.outcomes(parts, t).sum(axis=0))) for t in CURVE]
    return DecisionFigures(
        rejecting=tuple(terms.names[i] for i in terms.rejecting),
        unit="part" if len(parts.scores) < len(pictures) else "picture",
        defective=int(parts.defective.sum()),
        good=int((~parts.defective).sum()),
        threshold=THRESHOLD,
        escape=_estimate(outcomes, lambda sums: escape.rates(sums)[0], draws, parts.defective),
        false_reject=_estimate(outcomes, lambda sums: escape.rates(sums)[1], draws, ~parts.defective),
        curve=tuple(CurvePoint(threshold=t, escape=_number(e), false_reject=_number(f)) for t, e, f in curve),
    )


def _reliability(pooled: Reliability) -> ReliabilityFigures | None:
    if math.isnan(pooled.error()):
        return None
    bins = zip(pooled.totals[0], pooled.confidence, pooled.accuracy, strict=True)
    return ReliabilityFigures(
        error=pooled.error(),
        bins=tuple(ReliabilityBin(pixels=int(n), confidence=_number(c), accuracy=_number(a)) for n, c, a in bins),
    )


def _aupro(pictures: Sequence[PictureMeasure], draws: Resamples) -> Estimate | None:
    known = [p.overlap for p in pictures if p.overlap is not None]
    if not known:
        return None
    counts = np.stack(known)
    return _estimate(counts, aupro, draws, counts[:, 0].sum(axis=1) > 0)


def _precision(instances: Instances | None, names: Sequence[str]) -> PrecisionFigures | None:
    if instances is None:
        return None
    told = instances.average_precision(len(names))
    by_class = dict(zip(names[1:], told.by_class[1:], strict=True))
    return PrecisionFigures(ap=told.ap, ap50=told.ap50, ap75=told.ap75, by_class=by_class)


def _panoptic(pictures: Sequence[PictureMeasure], names: Sequence[str], draws: Resamples) -> PanopticFigures | None:
    known = [p.segments for p in pictures if p.segments is not None]
    if not known:
        return None
    counts = np.stack(known)
    pooled = panoptic_quality(counts.sum(axis=0))
    return PanopticFigures(
        pq=_estimate(counts, lambda sums: metrics.mean_of_classes(panoptic_quality(sums).pq), draws),
        sq=_number(metrics.mean_of_classes(pooled.sq)),
        rq=_number(metrics.mean_of_classes(pooled.rq)),
        by_class={name: _number(value) for name, value in zip(names, pooled.pq, strict=True)},
    )


def _number(value: float | Floats) -> float | None:
    return None if np.isnan(value) else float(value)
