"""Results as JSON: regions that are written one by one, and objects that carry them as text."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import payload
from edge.config import RuleConfig
from edge.inspection import Event, Inspection, Timings, Verdict
from edge.mqtt.wire import Alert, Result
from edge.region import Box, Region
from edge.rle import decode, encode
from edge.written import Written, dumps

MODEL = payload.ModelInfo(name="m", release=1, sha256="0" * 64, target="cpu", precision="int8")
PIXELS = np.random.default_rng(1).integers(0, 2, (90, 90), np.uint8)  # every character that run lengths are written in


def region(label: str = "spot", zones: tuple[str, ...] = ()) -> Region:
    return Region(
        id=1,
        class_id=1,
        label=label,
        score=2 / 3,
        bbox=Box(10, 20, 90, 90),
        area_px=int(PIXELS.sum()),
        centroid=(54.55, 64.0),
        segmentation=encode(PIXELS, 10, 20, 320, 240),
        zones=zones,
    )


def inspection(*regions: Region, mm_per_px: float | None = None) -> Inspection:
    return Inspection(
        result_id="r",
        camera="c",
        verdict=Verdict.NotOK,
        reasons=(),
        regions=regions,
        frame_id=1,
        frame_width=320,
        frame_height=240,
        captured_at=1.8e9,
        created_at=1.8e9,
        age_s=0.1,
        timings=Timings(),
        mm_per_px=mm_per_px,
    )


def context(label: str = "spot") -> payload.Context:
    return payload.Context(device="d", model=MODEL, labels=("background", label), thresholds={})


@given(label=st.text(min_size=1), zones=st.lists(st.text(), max_size=2))
def test_regions_are_written_as_they_are_whatever_they_are_called(label: str, zones: list[str]) -> None:
    told = payload.result(inspection(region(label, tuple(zones))), context(label))
    (written,) = json.loads(dumps(told))["regions"]
    assert written == {
        "id": 1,
        "track_id": None,
        "class_id": 1,
        "label": label,
        "score": 0.6667,
        "bbox": [10, 20, 90, 90],
        "area_px": int(PIXELS.sum()),
        "area_mm2": None,
        "length_mm": None,
        "centroid": [54.5, 64.0],
        "zones": zones,
        "segmentation": {"size": [240, 320], "counts": region().segmentation.counts},
    }


def test_run_lengths_come_back_from_json() -> None:
    told = payload.result(inspection(region()), context())
    assert "\\" in region().segmentation.counts
    assert np.array_equal(decode(region().segmentation)[20:110, 10:100], PIXELS)
    assert told["regions"][0]["segmentation"]["counts"] == region().segmentation.counts


@pytest.mark.parametrize("mm_per_px", [None, 0.25])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_results_and_alerts_keep_to_the_published_schema(mm_per_px: float | None, count: int) -> None:
    found = inspection(*[region(zones=("rim",))] * count, mm_per_px=mm_per_px)
    told = payload.result(found, context())
    result = Result.model_validate_json(dumps(told))
    assert [(one.area_mm2, one.length_mm) == (None, None) for one in result.regions] == [mm_per_px is None] * count
    alert = payload.alert(Event(alert_id="a", type="new", inspection=found), told)
    text = dumps(alert, without=("epoch", "seq"))
    Alert.model_validate_json(f'{{"epoch":"{"0" * 16}","seq":1,{text[1:]}')


def test_what_is_written_reads_as_a_mapping_and_crosses_a_pipe() -> None:
    told = Written({"a": 1, "b": None}, '[{"id":7}]')
    came = pickle.loads(pickle.dumps(told))
    assert came == told == {"a": 1, "b": None, "regions": [{"id": 7}]}
    assert json.loads(dumps(came, without=("b",))) == {"a": 1, "regions": [{"id": 7}]}
    assert came.but(a=2) == {"a": 2, "b": None, "regions": [{"id": 7}]}


def test_defects_are_the_regions_that_rules_are_about_where_the_frame_is_not_ok() -> None:
    found = inspection(region(), region("leaf"), region())
    judged = payload.Context(device="d", model=MODEL, labels=("background", "spot"), thresholds={"spot": RuleConfig()})
    assert payload.defects(found, judged) == ["spot", "spot"]
