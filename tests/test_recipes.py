"""Recipes end to end: the demonstration's model and pictures, a real broker, and a power cut in between."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from edge.demo.appliance import BUNDLE, PICTURES
from edge.mqtt.broker import Message
from tests.appliance import Appliance
from tests.brokers import Ear, Mosquitto, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = "edgeloupe/test"
RECIPES = {
    "export": {"rules": {"lesion": {"min_score": 0.6, "min_area_px": 60}}},
    "compost": {"rules": {"lesion": {"min_score": 0.6, "max_share": 0.9}}},
    "tip": {
        "rules": {"lesion": {"min_score": 0.6, "min_area_px": 60, "zones": {"stalk": {"ignore": True}}}},
        "cameras": {"c": {"zones": {"stalk": {"outline": [0, 0, 530, 512], "least_share": 0.9}}}},
    },
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def results(port: int, recipe: str) -> list[dict[str, Any]]:
    """Hear the next three pictures that a recipe decided on; on a busy machine some are too old for that."""
    topic = f"{ROOT}/c/result"

    def found() -> list[dict[str, Any]]:
        told = [json.loads(payload) for payload in ear.payloads(topic)]
        decided = [result for result in told if result["result_evaluation"] != "NotDecidable"]
        return [result for result in decided if result["recipe_id"] == recipe]

    with Ear(port, topic) as ear:
        ear.listen(lambda: len(found()) >= 3, f"for {recipe}")
        return found()


def prepare(port: int, recipe: str) -> dict[str, Any]:
    topic = f"{ROOT}/reply/{recipe}"
    with Ear(port, topic) as ear:
        told = json.dumps({"recipe_id": recipe, "correlation": recipe})
        publish(port, Message(topic=f"{ROOT}/cmd/prepare_recipe", payload=told.encode()))
        ear.listen(lambda: ear.payloads(topic))
        reply: dict[str, Any] = json.loads(ear.payloads(topic)[0])
    return reply


def test_recipes_judge_the_same_leaf_differently_and_the_choice_outlives_a_power_cut(
    tmp_path: Path, broker: Mosquitto
) -> None:
    (tmp_path / "leaves").mkdir()
    shutil.copy(PICTURES / "leaf-04.jpg", tmp_path / "leaves")
    device = Appliance(
        tmp_path,
        BUNDLE,
        f"file:{tmp_path / 'leaves'}",
        fps=5,
        loop=True,
        rules={"lesion": {}},
        recipes=RECIPES,
        recipe="export",
        mqtt={"port": broker.port, "open_commands": ["prepare_recipe"]},
    )
    try:
        device.wait_for(lambda: device.camera().get("inspected") and device.health()["mqtt"]["connected"])
        whole = results(broker.port, "export")
        assert {one["result_evaluation"] for one in whole} == {"NotOK"}
        assert prepare(broker.port, "compost")["error"] is None
        device.kill_and_restart()
        assert {one["result_evaluation"] for one in results(broker.port, "compost")} == {"OK"}
        assert prepare(broker.port, "tip")["error"] is None
        tip = results(broker.port, "tip")
        assert {one["result_evaluation"] for one in tip} == {"NotOK"}
        ignored = [region for region in tip[0]["regions"] if region["zones"] == ["stalk"]]
        counted = [region for region in tip[0]["regions"] if not region["zones"] and region["area_px"] >= 60]
        assert len(ignored) >= 1
        assert tip[0]["reasons"][0].startswith(f"lesion: {len(counted)} found")
        assert device.stop() == 0
    finally:
        device.process.kill()
        device.process.wait()
