"""From regions to a verdict."""

from __future__ import annotations

from edge.config import RuleConfig
from edge.decide import decide
from edge.inspection import Verdict
from edge.region import Box, Region
from edge.rle import Rle


def region(label: str = "lesion", *, score: float = 0.9, area_px: int = 100) -> Region:
    return Region(
        id=1,
        class_id=2,
        label=label,
        score=score,
        bbox=Box(0, 0, 10, 10),
        area_px=area_px,
        centroid=(5.0, 5.0),
        segmentation=Rle((10, 10), ""),
    )


def test_nothing_seen_is_ok() -> None:
    assert decide([], {}, {"lesion": RuleConfig()}) == (Verdict.OK, ())


def test_a_certain_large_region_is_not_ok_and_says_why() -> None:
    verdict, reasons = decide([region(), region()], {}, {"lesion": RuleConfig(min_score=0.5, min_area_px=50)})
    assert verdict is Verdict.NotOK
    assert reasons == ("lesion: 2 found, 200 px",)


def test_a_class_without_a_rule_is_harmless() -> None:
    assert decide([region("leaf")], {}, {"lesion": RuleConfig()})[0] is Verdict.OK


def test_a_region_too_small_is_ignored() -> None:
    assert decide([region(area_px=49)], {}, {"lesion": RuleConfig(min_area_px=50)})[0] is Verdict.OK


def test_a_score_inside_the_band_is_not_decidable() -> None:
    rule = RuleConfig(min_score=0.7, undecided_score=0.4)
    verdict, reasons = decide([region(score=0.5)], {}, {"lesion": rule})
    assert verdict is Verdict.NotDecidable
    assert reasons == ("lesion: 1 in doubt, best score 0.50",)


def test_the_best_score_in_doubt_is_told_whatever_the_order() -> None:
    rule = RuleConfig(min_score=0.7, undecided_score=0.4)
    _, reasons = decide([region(score=0.45, area_px=500), region(score=0.6)], {}, {"lesion": rule})
    assert reasons == ("lesion: 2 in doubt, best score 0.60",)


def test_a_defect_outweighs_a_doubt() -> None:
    rules = {"lesion": RuleConfig(min_score=0.7, undecided_score=0.4), "hole": RuleConfig()}
    assert decide([region(score=0.5), region("hole")], {}, rules)[0] is Verdict.NotOK


def test_a_share_within_tolerance_is_ok_and_above_is_not() -> None:
    rules = {"lesion": RuleConfig(max_share=0.02)}
    assert decide([region()], {"lesion": 0.01}, rules)[0] is Verdict.OK
    verdict, reasons = decide([region()], {"lesion": 0.05}, rules)
    assert verdict is Verdict.NotOK
    assert reasons == ("lesion: 1 found, 100 px, 5.00% of the object where 2.00% are tolerated",)
