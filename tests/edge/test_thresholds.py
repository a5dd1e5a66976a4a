"""Thresholds: adjusted by class and by zone, and told to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.config import RuleConfig
from edge.errors import ConfigError
from edge.thresholds import InForce, Thresholds, adjusted

if TYPE_CHECKING:
    from pathlib import Path

RULES = {"spot": RuleConfig.model_validate({"min_score": 0.6, "zones": {"rim": {"min_area_px": 40}}})}


def test_what_is_not_said_stays() -> None:
    found = adjusted(RULES, {"spot": {"max_share": 0.1}}, ["rim"])
    assert found["spot"] == RULES["spot"].model_copy(update={"max_share": 0.1})


def test_a_zone_is_adjusted_by_itself_and_one_without_a_rule_gets_one() -> None:
    found = adjusted(RULES, {"spot": {"zones": {"rim": {"min_score": 0.8}, "hub": {"ignore": True}}}}, ["rim", "hub"])
    zones = found["spot"].zones
    assert (zones["rim"].min_area_px, zones["rim"].min_score, zones["hub"].ignore) == (40, 0.8, True)
    assert (found["spot"].min_score, found["spot"].within("rim").min_score) == (0.6, 0.8)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([], "say which and how"),
        ({"hole": {}}, "rules.hole: there is none, only spot"),
        ({"spot": {"zones": {"rmi": {}}}}, "rules.spot.zones.rmi: no camera has such a zone, only rim"),
        ({"spot": {"zones": {"rim": {"min_score": 7}}}}, "rules.spot.zones.rim.min_score: Input should be less"),
        ({"spot": {"zones": {"rim": 7}}}, "rules.spot.zones: say which and how"),
        ({"spot": {"zones": []}}, "rules.spot.zones: say which and how"),
        ({"spot": {"min_skore": 1}}, "rules.spot.min_skore: Extra inputs are not permitted"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_its_place(changes: Any, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        adjusted(RULES, changes, ["rim"])
    assert why in str(caught.value)


def test_the_other_end_hears_recipe_and_rules_together_and_once(tmp_path: Path) -> None:
    core, worker = Thresholds(tmp_path), Thresholds(tmp_path)
    assert worker.heard() is None
    core.create()
    assert worker.heard() is None
    core.tell(InForce("leaf", RULES))
    assert worker.heard() == InForce("leaf", RULES)
    assert worker.heard() is None


def test_more_than_the_slot_holds_is_refused(tmp_path: Path) -> None:
    core = Thresholds(tmp_path)
    core.create()
    many = {"zones": {f"zone-{number}": {"min_score": 0.5} for number in range(2000)}}
    with pytest.raises(ConfigError, match="name fewer zones"):
        core.tell(InForce(None, {"spot": RuleConfig.model_validate(many)}))
