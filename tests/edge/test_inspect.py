"""One frame in, one inspection out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.camera_config import PictureConfig
from edge.clock import FakeClock
from edge.config import RuleConfig
from edge.fitness.picture_check import PictureCheck
from edge.frame import Frame
from edge.inspect import Inspector, share_of_object
from edge.inspection import Verdict
from edge.payload import Context, result
from edge.segment import open_segmenter
from edge.strict_yaml import loads
from edge.tile_config import TilingConfig, ZoneConfig
from edge.tiles.looks import open_looks
from edge.zones import Zones

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

RULES = {"spot": RuleConfig(min_area_px=20)}
ROI = "{roi: [0, 60, 320, 180], tiles: {size: [96, 72]}}"


def frame(clock: FakeClock, *, value: int = 128, spot: bool = False) -> Frame:
    picture = np.full((240, 320, 3), value, np.uint8)
    if spot:
        picture[80:140, 100:180] = (0, 0, 255)
    return Frame(camera="c", id=1, picture=picture, captured_at=clock.wall_s(), captured_mono_s=clock.monotonic_s())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def judge(bundle: Path, clock: FakeClock, seen: Frame) -> tuple[Verdict, tuple[str, ...], int]:
    opened = open_bundle(bundle)
    with open_segmenter(opened) as segmenter:
        inspector = Inspector(segmenter, opened.manifest.class_names, RULES, PictureCheck(PictureConfig()), clock)
        inspection, _ = inspector.inspect(seen)
    return inspection.verdict, inspection.reasons, len(inspection.regions)


def test_a_clean_picture_is_ok(scripted_bundle: Path, clock: FakeClock) -> None:
    assert judge(scripted_bundle, clock, frame(clock)) == (Verdict.OK, (), 0)


def test_a_defect_is_not_ok_with_its_region_in_frame_pixels(scripted_bundle: Path, clock: FakeClock) -> None:
    verdict, reasons, count = judge(scripted_bundle, clock, frame(clock, spot=True))
    assert (verdict, count) == (Verdict.NotOK, 1)
    area = int(reasons[0].split(", ")[1].removesuffix(" px"))
    assert area == pytest.approx(80 * 60, rel=0.03)


@pytest.mark.parametrize(("value", "word"), [(0, "dark"), (255, "saturated")])
def test_a_picture_that_can_not_be_judged_is_never_ok(
    scripted_bundle: Path, clock: FakeClock, value: int, word: str
) -> None:
    verdict, reasons, _ = judge(scripted_bundle, clock, frame(clock, value=value))
    assert verdict is Verdict.NotDecidable
    assert reasons[0].startswith(word)


def test_a_stale_picture_is_never_ok_even_when_the_wall_clock_jumped(scripted_bundle: Path, clock: FakeClock) -> None:
    old = frame(clock)
    clock.advance(10)
    clock.set_wall(0.0)
    verdict, reasons, _ = judge(scripted_bundle, clock, old)
    assert verdict is Verdict.NotDecidable
    assert reasons[0].startswith("stale")


def test_a_network_that_fails_is_never_ok(scripted_bundle: Path, clock: FakeClock) -> None:
    seen = replace(frame(clock), picture=np.full((240, 320, 3), (255, 0, 255), np.uint8))
    verdict, reasons, _ = judge(scripted_bundle, clock, seen)
    assert verdict is Verdict.NotDecidable
    assert reasons[0].startswith("model fault")


def test_the_payload_holds_what_the_inspection_says(scripted_bundle: Path, clock: FakeClock) -> None:
    bundle = open_bundle(scripted_bundle)
    context = Context.of(bundle, None, device="d", rules=RULES)
    with open_segmenter(bundle) as segmenter:
        inspector = Inspector(segmenter, context.labels, RULES, PictureCheck(PictureConfig()), clock)
        inspection, mask = inspector.inspect(frame(clock, spot=True))
    assert mask is not None
    told = result(inspection, context)
    assert told["result_evaluation"] == "NotOK"
    assert told["result_evaluation_code"] == 2
    assert told["model"]["sha256"] == bundle.sha256
    assert told["class_shares"]["spot"] == pytest.approx(80 * 60 / (320 * 240), rel=0.05)
    assert told["creation_time"].endswith("Z")
    (region,) = told["regions"]
    assert region["segmentation"]["size"] == [240, 320]
    assert told["processing_times"]["total"] == pytest.approx(
        sum(v for k, v in told["processing_times"].items() if k != "total"), abs=1e-5
    )


def told_of(bundle: Path, clock: FakeClock, how: str) -> Mapping[str, Any]:
    opened = open_bundle(bundle)
    context = Context.of(opened, None, device="d", rules=RULES)
    looks = {"c": loads(how, "how", TilingConfig)}
    with open_segmenter(opened) as segmenter, open_looks(segmenter, opened, looks, RULES) as looking:
        inspector = Inspector(looking["c"], context.labels, RULES, PictureCheck(PictureConfig()), clock)
        inspection, _ = inspector.inspect(frame(clock, spot=True))
    return result(inspection, context)


def test_results_say_how_closely_the_frame_was_looked_at(scripted_bundle: Path, clock: FakeClock) -> None:
    whole, part, near = (told_of(scripted_bundle, clock, how) for how in ("{}", ROI, f"{ROI[:-1]}, cascade: {{}}}}"))
    assert whole["coverage"] is None
    assert part["coverage"] == {
        "area": [0, 60, 320, 180], "tiles": 12, "examined": 12, "boxes": [], "first_look": None,
    }  # fmt: skip
    assert near["coverage"]["examined"] == len(near["coverage"]["boxes"]) < 12
    assert {told["result_evaluation"] for told in (whole, part, near)} == {"NotOK"}
    for told in (part, near):
        assert told["regions"][0]["bbox"] == pytest.approx([100, 80, 80, 60], abs=2)


def test_settings_that_do_not_fit_the_picture_are_never_ok(scripted_bundle: Path, clock: FakeClock) -> None:
    told = told_of(scripted_bundle, clock, "tiles: {size: [640, 480]}")
    assert told["result_evaluation"] == "NotDecidable"
    (reason,) = told["reasons"]
    assert reason == (
        "picture does not fit: tiles of 640x480 are larger than the 320x240 pixels to look at: "
        "set a smaller tiles.size, or remove tiles"
    )


def test_shares_of_the_object_leave_the_background_out() -> None:
    assert share_of_object([0.5, 0.4, 0.1]) == pytest.approx((0.0, 0.8, 0.2))
    assert share_of_object([1.0, 0.0]) == (0.0, 0.0)


def test_a_zone_that_reaches_beyond_the_picture_makes_it_not_decidable(scripted_bundle: Path, clock: FakeClock) -> None:
    opened = open_bundle(scripted_bundle)
    zones = Zones({"rim": ZoneConfig.model_validate({"outline": [300, 0, 40, 40]})})
    with open_segmenter(opened) as segmenter:
        inspector = Inspector(
            segmenter, opened.manifest.class_names, RULES, PictureCheck(PictureConfig()), clock, zones
        )
        inspection, mask = inspector.inspect(frame(clock))
    assert (inspection.verdict, mask) == (Verdict.NotDecidable, None)
    assert inspection.reasons == (
        "picture does not fit: zone rim reaches to 340, 40, the picture has 320x240 pixels: draw it anew",
    )


def test_regions_tell_their_zones_and_results_their_recipe(scripted_bundle: Path, clock: FakeClock) -> None:
    opened = open_bundle(scripted_bundle)
    context = Context.of(opened, None, device="d", rules=RULES, recipe="leaf")
    zones = Zones({"middle": ZoneConfig.model_validate({"outline": [80, 60, 160, 120]})})
    with open_segmenter(opened) as segmenter:
        inspector = Inspector(segmenter, context.labels, RULES, PictureCheck(PictureConfig()), clock, zones)
        told = result(inspector.inspect(frame(clock, spot=True))[0], context)
    assert ([region["zones"] for region in told["regions"]], told["recipe_id"]) == ([["middle"]], "leaf")
