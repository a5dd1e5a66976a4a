"""From regions to a verdict."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge.config import RuleConfig
from edge.decide import decide
from edge.inspection import Verdict
from edge.region import Box, Region
from edge.rle import Rle


def region(label: str = "lesion", *, score: float = 0.9, area_px: int = 100, zones: tuple[str, ...] = ()) -> Region:
    return Region(
        id=1,
        class_id=2,
        label=label,
        score=score,
        bbox=Box(0, 0, 10, 10),
        area_px=area_px,
        centroid=(5.0, 5.0),
        segmentation=Rle((10, 10), ""),
        zones=zones,
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


def by_zone(**told: object) -> RuleConfig:
    return RuleConfig.model_validate(told)


def test_what_lies_in_an_ignored_zone_is_no_defect_and_counts_for_no_share() -> None:
    rule = by_zone(max_share=0.02, zones={"clamp": {"ignore": True}})
    inside, outside = region(zones=("clamp",), area_px=300), region(area_px=100)
    assert decide([inside], {"lesion": 0.05}, {"lesion": rule})[0] is Verdict.OK
    assert decide([inside, outside], {"lesion": 0.06}, {"lesion": rule})[0] is Verdict.OK  # 1.5 % are left
    verdict, reasons = decide([inside, outside], {"lesion": 0.16}, {"lesion": rule})
    assert (verdict, reasons) == (
        Verdict.NotOK,
        ("lesion: 1 found, 100 px, 4.00% of the object where 2.00% are tolerated",),
    )


def test_limits_of_a_zone_hold_there_alone_and_the_reason_names_it() -> None:
    rules = {"lesion": by_zone(min_area_px=200, zones={"rim": {"min_area_px": 50}, "core": {"min_score": 0.95}})}
    assert decide([region()], {}, rules)[0] is Verdict.OK
    assert decide([region(zones=("core",), area_px=500)], {}, rules)[0] is Verdict.OK
    assert decide([region(zones=("rim",)), region(zones=("rim",), area_px=70)], {}, rules) == (
        Verdict.NotOK,
        ("lesion in rim: 2 found, 170 px",),
    )


def test_of_two_zones_the_first_of_the_rule_decides() -> None:
    both = region(zones=("rim", "clamp"))
    clamp_first = by_zone(zones={"clamp": {"ignore": True}, "rim": {}})
    rim_first = by_zone(zones={"rim": {}, "clamp": {"ignore": True}})
    assert decide([both], {}, {"lesion": clamp_first})[0] is Verdict.OK
    assert decide([both], {}, {"lesion": rim_first})[1] == ("lesion in rim: 1 found, 100 px",)


def test_what_is_tolerated_once_is_not_tolerated_once_more_in_a_zone() -> None:
    apart = [region(), region(zones=("rim",))]
    assert decide(apart, {"lesion": 0.03}, {"lesion": RuleConfig(max_share=0.02)})[0] is Verdict.NotOK
    together = by_zone(max_share=0.02, zones={"rim": {"min_area_px": 5}})
    assert decide(apart, {"lesion": 0.03}, {"lesion": together})[0] is Verdict.NotOK
    of_its_own = by_zone(max_share=0.02, zones={"rim": {"max_share": 0.02}})
    assert decide(apart, {"lesion": 0.03}, {"lesion": of_its_own})[0] is Verdict.OK
    assert decide(apart, {"lesion": 0.05}, {"lesion": of_its_own})[1] == (
        "lesion: 1 found, 100 px, 2.50% of the object where 2.00% are tolerated",
        "lesion in rim: 1 found, 100 px, 2.50% of the object where 2.00% are tolerated",
    )


def test_a_doubt_in_a_zone_is_told_as_such() -> None:
    rule = by_zone(min_score=0.4, zones={"rim": {"min_score": 0.9, "undecided_score": 0.5}})
    seen = region(score=0.6, zones=("rim",))
    assert decide([seen], {}, {"lesion": rule}) == (
        Verdict.NotDecidable,
        ("lesion in rim: 1 in doubt, best score 0.60",),
    )


def test_a_zone_whose_band_is_upside_down_is_refused() -> None:
    with pytest.raises(ValidationError, match="undecided_score must be below min_score in zone rim"):
        by_zone(min_score=0.6, undecided_score=0.5, zones={"rim": {"min_score": 0.45}})
