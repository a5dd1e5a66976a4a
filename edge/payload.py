"""Payload: an inspection or an event as the JSON that leaves the device, `edgeloupe.result/1`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Self

from edge.clock import rfc3339
from edge.errors import ConfigError
from edge.inspection import Verdict
from edge.measure import length_px
from edge.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.bundle import Bundle
    from edge.config import RuleConfig
    from edge.inspection import Event, Inspection
    from edge.mask import Coverage
    from edge.region import Region

SCHEMA = "edgeloupe.result/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Which network spoke."""

    name: str
    release: int
    sha256: str
    target: str
    precision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every result of this device repeats."""

    device: str
    model: ModelInfo
    labels: tuple[str, ...]  # of the model's classes, by index
    thresholds: Mapping[str, RuleConfig]
    recipe: str | None = None  # by which frames are judged
    told: Mapping[str, Any] = field(init=False, repr=False, compare=False)  # the thresholds, as they are written

    def __post_init__(self) -> None:
        """Write the thresholds once, not with each result."""
        told = {label: rule.model_dump(exclude_none=True) for label, rule in self.thresholds.items()}
        for rule in told.values():
            if not rule["zones"]:
                del rule["zones"]
        object.__setattr__(self, "told", told)

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        target: str | None,
        *,
        device: str,
        rules: Mapping[str, RuleConfig],
        recipe: str | None = None,
    ) -> Self:
        """Describe `bundle` as run for `target`, by default one that runs here.

        Raises:
            BundleError: no such target in the bundle.
            ConfigError: a rule names a class that the model does not have.
        """
        name, info = bundle.target_for([target] if target else ())
        labels = bundle.manifest.class_names
        unknown = sorted(set(rules) - set(labels))
        if unknown:
            where = f"recipes.{recipe}.rules" if recipe else "rules"
            raise ConfigError(f"{where}.{unknown[0]}: the model has no such class, only {', '.join(labels)}")
        model = ModelInfo(
            name=bundle.manifest.name,
            release=bundle.manifest.release,
            sha256=bundle.sha256,
            target=name,
            precision=info.precision,
        )
        return cls(device=device, model=model, labels=labels, thresholds=rules, recipe=recipe)


def result(inspection: Inspection, context: Context) -> Written:
    """Write one inspection as the fields of OPC 40100-1 in snake_case; `epoch` and `seq` are set by the outbox."""
    times = inspection.timings
    fields = {
        "schema": SCHEMA,
        "result_id": inspection.result_id,
        "device": context.device,
        "camera": inspection.camera,
        "epoch": None,
        "seq": None,
        "is_simulated": inspection.simulated,
        "result_state": "Completed",
        "result_evaluation": inspection.verdict.name,
        "result_evaluation_code": inspection.verdict.value,
        "reasons": list(inspection.reasons),
        "part_id": None,
        "job_id": None,
        "recipe_id": context.recipe,
        "creation_time": rfc3339(inspection.created_at),
        "frame": {
            "id": inspection.frame_id,
            "width": inspection.frame_width,
            "height": inspection.frame_height,
            "captured_at": rfc3339(inspection.captured_at),
            "age_s": round(inspection.age_s, 4),
        },
        "processing_times": {
            "acquisition": round(times.acquisition, 6),
            "preprocess": round(times.preprocess, 6),
            "inference": round(times.inference, 6),
            "postprocess": round(times.postprocess, 6),
            "total": round(times.total, 6),
        },
        "model": {**_model(context.model)},
        "thresholds": {label: {**rule} for label, rule in context.told.items()},
        "class_shares": {
            label: round(share, 6) for label, share in zip(context.labels, inspection.class_shares, strict=False)
        },
        "coverage": None if inspection.coverage is None else _coverage(inspection.coverage),
    }
    return Written(fields, f"[{','.join(_region(region, inspection.mm_per_px) for region in inspection.regions)}]")


def defects(inspection: Inspection, context: Context) -> list[str]:
    """List the classes of what makes a frame NotOK, each as often as it was found."""
    if inspection.verdict is not Verdict.NotOK:
        return []
    return [region.label for region in inspection.regions if region.label in context.thresholds]


@lru_cache(maxsize=8)
def _model(model: ModelInfo) -> dict[str, Any]:
    return asdict(model)


def alert(event: Event, rests_on: Written) -> Written:
    """Write one event: the `result` it rests on, with the alert's id, the step in its life and its picture."""
    return rests_on.but(
        type=event.type,
        alert_id=event.alert_id,
        evidence=event.evidence,
        mask=event.mask,
        overlay=event.overlay,
        clip=event.clip,
    )


def _coverage(coverage: Coverage) -> dict[str, Any]:
    boxes = [] if len(coverage.examined) == coverage.tiles else coverage.examined
    return {
        "area": list(coverage.area),
        "tiles": coverage.tiles,
        "examined": len(coverage.examined),
        "boxes": [list(box) for box in boxes],
        "first_look": coverage.first_look,
    }


def _region(region: Region, mm_per_px: float | None) -> str:
    """Write one region at once: as a mapping, and from that, hundreds would take five times as long."""
    area_mm2 = "null" if mm_per_px is None else round(region.area_px * mm_per_px**2, 4)
    length_mm = "null" if mm_per_px is None else round(length_px(region) * mm_per_px, 3)
    left, top, width, height = region.bbox
    x, y = region.centroid
    (rows, columns), counts = region.segmentation
    return (
        f'{{"id":{region.id},"track_id":null,"class_id":{region.class_id},"label":{quoted(region.label)},'
        f'"score":{region.score:.4f},"bbox":[{left},{top},{width},{height}],"area_px":{region.area_px},'
        f'"area_mm2":{area_mm2},"length_mm":{length_mm},"centroid":[{x:.1f},{y:.1f}],'
        f'"zones":[{",".join(map(quoted, region.zones))}],'
        f'"segmentation":{{"size":[{rows},{columns}],"counts":{quoted(counts)}}}}}'
    )
