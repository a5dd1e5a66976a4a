"""Decide: from regions to OK, NotOK or NotDecidable, by one rule per class, whose limits may differ by zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.inspection import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.config import RuleConfig
    from edge.region import Region


class _Part(NamedTuple):
    """Regions of one class that the same limits apply to."""

    name: str  # of the class, and of the zone where there is one
    limits: RuleConfig
    regions: Sequence[Region]
    share: float  # of the object, that `limits.max_share` speaks of


def decide(
    regions: Sequence[Region], shares: Mapping[str, float], rules: Mapping[str, RuleConfig]
) -> tuple[Verdict, tuple[str, ...]]:
    """Judge what was seen; give the verdict and the reasons for anything but OK.

    Args:
        regions: blobs of all classes; those of classes without a rule are harmless.
        shares: share of the object's pixels per class, 0 to 1.
        rules: tolerances by class.
    """
    wrong: list[str] = []
    unsure: list[str] = []
    for label, rule in rules.items():
        found = [region for region in regions if region.label == label]
        for name, limits, inside, share in _parts(label, rule, found, shares.get(label, 0.0)):
            large = [region for region in inside if region.area_px >= limits.min_area_px]
            certain = [region for region in large if region.score >= limits.min_score]
            if certain and share >= limits.max_share:
                wrong.append(_describe(name, certain, share, limits))
            elif certain and limits.max_share:
                continue  # within tolerance
            elif limits.undecided_score is not None:
                doubtful = [region for region in large if region.score >= limits.undecided_score]
                if doubtful:
                    best = max(region.score for region in doubtful)
                    unsure.append(f"{name}: {len(doubtful)} in doubt, best score {best:.2f}")
    if wrong:
        return Verdict.NotOK, tuple(wrong)
    if unsure:
        return Verdict.NotDecidable, tuple(unsure)
    return Verdict.OK, ()


def _parts(label: str, rule: RuleConfig, found: Sequence[Region], share: float) -> Iterator[_Part]:
    """Divide the regions of a class by the limits for them, leaving out what lies in ignored zones.

    The class's own `max_share` is about everything that has no `max_share` by its zone, so that what is tolerated once
    is not tolerated once more in every zone. A region's part of the share is its part of the class's pixels.
    """
    if not rule.zones:
        yield _Part(label, rule, found, share)
        return
    parts: dict[str | None, list[Region]] = {}
    for region in found:
        zone = next((zone for zone in rule.zones if zone in region.zones), None)
        if zone is None or not rule.zones[zone].ignore:
            parts.setdefault(zone, []).append(region)
    per_pixel = share / max(_area(found), 1)
    common = [zone for zone in parts if zone is None or rule.zones[zone].max_share is None]
    together = sum(_area(parts[zone]) for zone in common) * per_pixel
    for zone, inside in parts.items():
        name = label if zone is None else f"{label} in {zone}"
        yield _Part(name, rule.within(zone), inside, together if zone in common else _area(inside) * per_pixel)


def _describe(name: str, found: Sequence[Region], share: float, limits: RuleConfig) -> str:
    tolerance = f", {share:.2%} of the object where {limits.max_share:.2%} are tolerated" if limits.max_share else ""
    return f"{name}: {len(found)} found, {_area(found)} px{tolerance}"


def _area(regions: Sequence[Region]) -> int:
    return sum(region.area_px for region in regions)
