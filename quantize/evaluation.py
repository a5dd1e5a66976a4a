"""Evaluation: all that is measured about one model on one split, as it stands in `--json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.card import Calibration
from quantize.figures import Figures, Objects, Severity
from quantize.receipt import DatasetFacts


class Estimate(Figures):
    """A figure with its 95 % bootstrap interval over groups."""

    value: float | None  # none where there is nothing to measure it on
    interval: tuple[float, float] | None  # none where there are too few groups: undecidable
    groups: int  # that have a say in it


class SizeBin(Figures):
    """Objects of one size; the sizes go from `from_px` up to, but without, `below_px`."""

    from_px: int
    below_px: int | None
    found: int
    missed: int
    false: int


class ObjectFigures(Objects):
    """Objects of one class, all together and by size."""

    recall: Estimate  # share of the truth's objects that were found
    by_size: tuple[SizeBin, ...]


class ClassFigures(Figures):
    """One class; shares of 0 to 1, none where there is nothing to divide by."""

    name: str
    pixels: int  # of the truth
    iou: Estimate
    boundary_iou: Estimate
    precision: float | None
    recall: float | None
    f1: float | None
    objects: ObjectFigures | None  # none for the first class


class CurvePoint(Figures):
    """What becomes of parts when regions are rejected from this score on."""

    threshold: float
    escape: float | None
    false_reject: float | None


class DecisionFigures(Figures):
    """Defective parts that pass and good ones that are rejected, by the score of their most certain region."""

    rejecting: tuple[str, ...]  # classes
    unit: Literal["picture", "part"]  # a part's pictures are its group's
    defective: int
    good: int
    threshold: float
    escape: Estimate
    false_reject: Estimate
    curve: tuple[CurvePoint, ...]


class ReliabilityBin(Figures):
    """Pixels whose confidence lies in one range."""

    pixels: int
    confidence: float | None  # mean
    accuracy: float | None


class ReliabilityFigures(Figures):
    """Whether confidence means what it says, on the network's own grid."""

    error: float  # expected calibration error, 0 to 1
    bins: tuple[ReliabilityBin, ...]


class PrecisionFigures(Figures):
    """Average precision of instance masks, as COCO defines it."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    by_class: dict[str, float | None]


class PanopticFigures(Figures):
    """Panoptic quality, averaged over the classes that occur."""

    pq: Estimate
    sq: float | None
    rq: float | None
    by_class: dict[str, float | None]  # PQ


class ModelFacts(Figures):
    """What was measured."""

    name: str
    file: str
    form: str  # float, or a bundle's target
    sha256: str  # of the file that the runtime was given
    task: str
    calibration: Calibration | None = None  # none where the confidence is as training left it


class Evaluation(Figures):
    """One model against the truth of one split."""

    schema_: Literal["edgeloupe.evaluation/1"] = Field(default="edgeloupe.evaluation/1", alias="schema")
    model: ModelFacts
    dataset: DatasetFacts
    skipped: tuple[str, ...]  # what could not be used, and why
    machine: str
    tools: dict[str, str]
    focus: str
    min_object_px: int | None  # none: by the size of each picture
    mean_iou: Estimate  # over all classes
    mean_boundary_iou: Estimate
    pixel_accuracy: Estimate
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]  # pixels, truth by row
    severity: Severity
    decision: DecisionFigures
    reliability: ReliabilityFigures | None  # none where the network gives no score per pixel
    defect_reliability: ReliabilityFigures | None  # of pixels seen as a class that makes a part defective
    aupro: Estimate | None  # where there is one class beside the first
    average_precision: PrecisionFigures | None  # of instance and panoptic models
    panoptic: PanopticFigures | None  # of panoptic models
