"""Decide: from regions to OK, NotOK or NotDecidable, by one rule per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.inspection import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.config import RuleConfig
    from edge.region import Region


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
        large = [region for region in regions if region.label == label and region.area_px >= rule.min_area_px]
        certain = [region for region in large if region.score >= rule.min_score]
        share = shares.get(label, 0.0)
        if certain and share >= rule.max_share:
            wrong.append(_describe(label, certain, share, rule))
        elif certain and rule.max_share:
            continue  # within tolerance
        elif rule.undecided_score is not None:
            doubtful = [region for region in large if region.score >= rule.undecided_score]
            if doubtful:
                best = max(region.score for region in doubtful)
                unsure.append(f"{label}: {len(doubtful)} in doubt, best score {best:.2f}")
    if wrong:
        return Verdict.NotOK, tuple(wrong)
    if unsure:
        return Verdict.NotDecidable, tuple(unsure)
    return Verdict.OK, ()


def _describe(label: str, found: Sequence[Region], share: float, rule: RuleConfig) -> str:
    area = sum(region.area_px for region in found)
    tolerance = f", {share:.2%} of the object where {rule.max_share:.2%} are tolerated" if rule.max_share else ""
    return f"{label}: {len(found)} found, {area} px{tolerance}"
