"""Commands of operators to a whole device, and every message it says meanwhile against the published schemas."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import jsonschema
import numpy as np
import pytest

from edge.audit import Audit
from edge.clock import SystemClock
from edge.commands import tell
from edge.mqtt.asyncapi import MESSAGES, document, schemas
from tests.appliance import Appliance
from tests.brokers import Ear, Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"


class Plant:
    """A device with one camera, a broker, and an operator who may do everything but roll back."""

    def __init__(self, folder: Path, bundle: Path, port: int, **more: Any) -> None:
        self.port = port
        self.key = folder / "anna.key"
        self.key.write_text("a secret of more than sixteen letters\n", encoding="utf-8")
        verbs = ["trigger", "start", "stop", "prepare_recipe", "reload_model", "snapshot", "adjust"]
        operators = {"anna": {"key_file": str(self.key), "verbs": verbs}}
        mqtt = {"port": port, "publish_images": True, "operators": operators}
        told = {"source": "synthetic:plain,red,plain", "fps": 20, "loop": True, **more}
        self.device = Appliance(folder, bundle, mqtt=mqtt, **told)

    def tell(self, verb: str, *more: str, signed: bool = True) -> tuple[int, dict[str, Any]]:
        parser = argparse.ArgumentParser()
        tell.add_arguments(parser)
        who = ["--by", "anna", "--key-file", str(self.key)] if signed else []
        args = parser.parse_args(["test", verb, "--port", str(self.port), *who, *more])
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = tell.run(args)
        return code, json.loads(said.getvalue())


@pytest.fixture
def plant(tmp_path: Path, scripted_bundle: Path) -> Iterator[Plant]:
    with Mosquitto(tmp_path) as broker:
        plant = Plant(tmp_path, scripted_bundle, broker.port)
        try:
            yield plant
        finally:
            plant.device.process.kill()
            plant.device.process.wait()


def test_an_operator_stops_triggers_and_starts_and_everybody_else_is_refused(plant: Plant) -> None:
    device = plant.device
    device.wait_for(
        lambda: device.health().get("mqtt", {}).get("connected") and device.camera().get("inspected", 0) > 3
    )
    code, refused = plant.tell("stop", signed=False)
    assert (code, refused["error"]) == (1, "stop must be signed by an operator: see mqtt.operators")
    assert "anna may not rollback" in plant.tell("rollback")[1]["error"]
    assert "no such camera: there are c" in plant.tell("stop", "--camera", "x")[1]["error"]
    assert "stop it first" in plant.tell("trigger")[1]["error"]
    assert "no recipes" in plant.tell("prepare_recipe", "--set", 'recipe_id="other"')[1]["error"]
    assert device.camera()["state"] == "live"

    code, snapshot = plant.tell("snapshot")
    assert (code, snapshot["error"]) == (0, None)
    assert (device.folder / "state" / "evidence" / snapshot["evidence"]).is_file()

    code, told = plant.tell("stop")
    assert (code, told["stopped"], told["verb"]) == (0, ["c"], "stop")
    device.wait_for(lambda: device.camera()["state"] == "stopped")
    assert "camera c: stopped" in " ".join(device.health()["reasons"])
    code, shot = plant.tell("trigger")
    assert (code, shot["camera"]) == (0, "c")
    assert shot["result_evaluation"] in ("OK", "NotOK")
    device.wait_for(lambda: device.camera()["state"] == "stopped")
    before = device.health()["processes"]["worker"]["pid"]
    assert plant.tell("reload_model")[0] == 0
    device.wait_for(lambda: device.health()["processes"].get("worker", {}).get("pid") not in (None, before))
    assert plant.tell("start")[0] == 0
    seen = device.camera()["inspected"]
    device.wait_for(lambda: device.camera()["inspected"] > seen + 3)
    assert device.stop() == 0

    with Audit(device.folder / "state" / "audit.sqlite", SystemClock()) as audit:
        rows = [(row["verb"], row["who"], row["outcome"]) for row in audit.rows()[::-1]]
    assert rows == [
        ("stop", "", "refused"),
        ("rollback", "anna", "refused"),
        ("stop", "anna", "refused"),
        ("trigger", "anna", "failed"),
        ("prepare_recipe", "anna", "failed"),
        ("snapshot", "anna", "done"),
        ("stop", "anna", "done"),
        ("trigger", "anna", "done"),
        ("reload_model", "anna", "done"),
        ("start", "anna", "done"),
    ]


def test_thresholds_are_adjusted_while_it_runs_and_a_new_worker_keeps_them(plant: Plant) -> None:
    device = plant.device
    device.wait_for(lambda: device.health().get("mqtt", {}).get("connected") and device.camera().get("inspected"))
    for fields, why in (
        ('rules={"hole": {}}', "rules.hole: there is none, only spot"),
        ('rules={"spot": {"min_score": 2}}', "rules.spot.min_score: Input should be less than or equal to 1"),
        ('rules={"spot": {"min_skore": 1}}', "rules.spot.min_skore: Extra inputs are not permitted"),
        ("rules=[]", "rules: say which and how"),
    ):
        assert why in plant.tell("adjust", "--set", fields)[1]["error"]
    code, told = plant.tell("adjust", "--set", 'rules={"spot": {"min_area_px": 100000}}')
    assert (code, told["error"], told["rules"]["spot"]["min_area_px"]) == (0, None, 100_000)

    def judged_by_it(ear: Ear) -> bool:
        results = [json.loads(result) for result in ear.payloads("edgeloupe/test/c/result")]
        late = [one for one in results if one["thresholds"]["spot"]["min_area_px"] == 100_000]
        assert all(one["result_evaluation"] == "OK" for one in late)
        return len(late) >= 5 and any(one["regions"] for one in late)  # red, and large enough no more

    with Ear(plant.port, "edgeloupe/test/c/result") as ear:
        ear.listen(lambda: judged_by_it(ear))
    before = device.health()["processes"]["worker"]["pid"]
    assert plant.tell("reload_model")[0] == 0
    device.wait_for(lambda: device.health()["processes"].get("worker", {}).get("pid") not in (None, before))
    with Ear(plant.port, "edgeloupe/test/c/result") as ear:
        ear.listen(lambda: judged_by_it(ear))


ZONES = {"left": {"outline": [0, 0, 160, 240]}, "whole": {"outline": [0, 0, 320, 240]}}
RECIPES = {
    "leaf": {},
    "seed": {"rules": {"spot": {"zones": {"left": {"ignore": True}, "whole": {"ignore": True}}}}},
}


@pytest.fixture
def kitchen(tmp_path: Path, scripted_bundle: Path) -> Iterator[Plant]:
    """A device with two recipes, one of which ignores the whole picture by zones."""
    with Mosquitto(tmp_path) as broker:
        plant = Plant(tmp_path, scripted_bundle, broker.port, recipes=RECIPES, zones=ZONES, source="synthetic:red")
        try:
            device = plant.device
            device.wait_for(lambda: device.camera().get("inspected") and device.health()["mqtt"]["connected"])
            yield plant
        finally:
            plant.device.process.kill()
            plant.device.process.wait()


def heard(plant: Plant, recipe: str, zone: str = "{}") -> list[dict[str, Any]]:
    """Hear the next three results of a recipe with such limits in zone `left`.

    What a busy machine still has to tell from before is left out, and pictures that are too old to be decided on.
    """
    topic = "edgeloupe/test/c/result"

    def decided() -> list[dict[str, Any]]:
        results = [json.loads(payload) for payload in ear.payloads(topic)]
        return [
            result
            for result in results
            if result["result_evaluation"] != "NotDecidable"
            and result["recipe_id"] == recipe
            and json.loads(zone).items() <= result["thresholds"]["spot"].get("zones", {}).get("left", {}).items()
        ]

    with Ear(plant.port, topic) as ear:
        ear.listen(lambda: len(decided()) >= 3, f"for {recipe} {zone}")
        return decided()


def test_a_recipe_is_prepared_told_and_in_force_and_outlives_a_power_cut(kitchen: Plant) -> None:
    device, state = kitchen.device, "edgeloupe/test/recipe/state"
    assert {one["result_evaluation"] for one in heard(kitchen, "leaf")} == {"NotOK"}
    for fields in ("recipe_id=7", 'recipe_id="leav"', "recipe=1"):
        code, told = kitchen.tell("prepare_recipe", "--set", fields)
        assert (code, told["error"]) == (1, "recipe_id: there is no such recipe, only leaf, seed")
    with Ear(kitchen.port, "edgeloupe/test/#") as ear:
        ear.listen(lambda: ear.payloads(state))
        assert ear.payloads(state) == [b"leaf"]
        code, told = kitchen.tell("prepare_recipe", "--set", 'recipe_id="seed"')
        assert (code, told["error"], told["recipe_id"]) == (0, None, "seed")
        ear.listen(lambda: any("/reply/" in received.topic for received in ear.heard))
        topics = [received.topic for received in ear.heard]
        last = max(place for place, topic in enumerate(topics) if topic == state)
        assert ear.payloads(state)[-1] == b"seed"
        assert last < next(place for place, topic in enumerate(topics) if "/reply/" in topic), "told before confirmed"
    device.process.kill()
    device.process.wait()
    assert json.loads((device.folder / "state" / "recipe.json").read_text(encoding="utf-8"))["recipe_id"] == "seed"
    device.kill_and_restart()
    late = heard(kitchen, "seed")
    assert {one["result_evaluation"] for one in late} == {"OK"}
    assert {tuple(region["zones"]) for one in late for region in one["regions"]} == {("left", "whole")}
    assert device.health()["recipe_id"] == "seed"


def test_thresholds_are_adjusted_by_zone_and_belong_to_their_recipe(kitchen: Plant) -> None:
    wrong = 'rules={"spot": {"zones": {"up": {"ignore": true}}}}'
    assert "no camera has such a zone, only left, whole" in kitchen.tell("adjust", "--set", wrong)[1]["error"]
    code, told = kitchen.tell("adjust", "--set", 'rules={"spot": {"zones": {"left": {"min_area_px": 999999}}}}')
    assert (code, told["rules"]["spot"]["zones"]["left"]["min_area_px"]) == (0, 999999)
    assert {one["result_evaluation"] for one in heard(kitchen, "leaf", '{"min_area_px": 999999}')} == {"OK"}
    for recipe in ("seed", "leaf"):
        assert kitchen.tell("prepare_recipe", "--set", f'recipe_id="{recipe}"')[0] == 0
    assert heard(kitchen, "leaf", '{"min_area_px": 999999}')


def test_every_message_is_as_published(plant: Plant) -> None:
    device, root = plant.device, "edgeloupe/test"
    with Ear(plant.port, "edgeloupe/#") as ear:
        ear.listen(lambda: len(ear.payloads(f"{root}/c/alert")) >= 2 and ear.payloads(f"{root}/c/result"))
        ear.listen(lambda: json.loads(ear.payloads(f"{root}/state")[-1])["last_seq"] >= 2)
        ear.listen(lambda: ear.payloads(f"{root}/metrics"))
        epoch = device.health()["outbox"]["epoch"]
        plant.tell("replay", "--set", f'epoch="{epoch}"', "--set", "first_seq=1", "--set", "last_seq=2", signed=False)
        plant.tell("snapshot")
        ear.listen(lambda: sum("/reply/" in received.topic for received in ear.heard) == 2)
        heard = list(ear.heard)
    picture = cv2.imdecode(np.frombuffer(ear.payloads(f"{root}/c/image")[0], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture[..., 2].mean() > 100, "the alert was about something red"
    checked: set[str] = set()
    for received in heard:
        kind = _kind(received.topic.removeprefix(f"{root}/"), received.payload)
        if kind in MESSAGES:
            told = json.loads(received.payload)
            jsonschema.validate(told, json.loads((DOCS / "schemas" / f"{kind}.json").read_text(encoding="utf-8")))
            if kind != "reply":
                MESSAGES[kind].model_validate(told)  # which also forbids what is not published
            checked.add(kind)
        else:
            assert kind in document()["components"]["messages"], received.topic
    assert checked == {"result", "alert", "state", "command", "replay", "reply", "replay_reply"}


def _kind(rest: str, payload: bytes) -> str:
    place, _, last = rest.rpartition("/")
    if place == "cmd":
        return "replay" if last == "replay" else "command"
    if place == "reply":
        return "replay_reply" if json.loads(payload)["verb"] == "replay" else "reply"
    return last


def test_the_published_documents_are_those_of_the_code() -> None:
    told = "write them anew: python -m edge.mqtt.asyncapi docs"
    assert json.loads((DOCS / "asyncapi.json").read_text(encoding="utf-8")) == document(), told
    committed = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "schemas").iterdir()}
    assert committed == schemas(), told
    for schema in committed.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    whole = document()

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for reference in references(whole):
        place: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
