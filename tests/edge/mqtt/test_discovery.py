from __future__ import annotations

import json
import re
from typing import Any

from edge.health import CameraHealth
from edge.mqtt.discovery import birth_topic, config_topic, introduction
from edge.topics import Topics

VERBS = ("trigger", "reload_model", "prepare_recipe")
TOPICS = Topics(prefix="plant/edgeloupe", device="line-3")


def introduce() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(introduction(TOPICS, ["belt", "press_2"], "leaf", commands=VERBS)))
    return told


def test_the_introduction_stands_where_home_assistant_looks() -> None:
    topic = config_topic("homeassistant", "line-3")
    assert topic == "homeassistant/device/edgeloupe_line-3/config"
    assert re.fullmatch(r"[\w-]+/device/[\w-]+/config", topic)
    assert birth_topic("homeassistant") == "homeassistant/status"


def test_it_has_a_device_an_origin_and_components_with_unique_names() -> None:
    told = introduce()
    assert told["device"]["identifiers"] == ["edgeloupe_line-3"]
    assert told["device"]["model"] == "leaf"
    assert told["origin"]["name"] == "edgeloupe"
    components = told["components"].values()
    kinds = {component["platform"] for component in components}
    assert kinds == {"sensor", "binary_sensor", "button", "update"}
    names = [component["unique_id"] for component in components]
    assert len(names) == len(set(names)) == 1 + 4 + 2 * 9


def test_recipes_and_pictures_are_offered_where_there_are_any() -> None:
    told = introduction(TOPICS, ["belt", "press_2"], commands=VERBS, recipes=["leaf", 'a "b"'], pictures=["belt"])[
        "components"
    ]
    assert told["recipe"]["options"] == ["leaf", 'a "b"']
    assert told["recipe"]["command_topic"] == "plant/edgeloupe/line-3/cmd/prepare_recipe"
    assert told["belt_picture"]["image_topic"] == "plant/edgeloupe/line-3/belt/image"
    assert "press_2_picture" not in told


def test_what_would_be_refused_is_not_offered() -> None:
    told = introduction(TOPICS, ["belt"], "leaf", recipes=["leaf"])["components"]
    assert not [key for key, component in told.items() if "command_topic" in component]
    assert "belt_trigger" not in told
    assert "recipe" not in told
    assert told["model"]["platform"] == "update"


def test_buttons_ask_for_what_they_are_named_after() -> None:
    trigger = introduce()["components"]["belt_trigger"]
    assert trigger["command_topic"] == "plant/edgeloupe/line-3/cmd/trigger"
    assert json.loads(trigger["payload_press"]) == {"camera": "belt", "correlation": "home-assistant"}


def test_every_camera_has_verdict_problem_counts_and_time() -> None:
    components = introduce()["components"]
    verdict = components["belt_verdict"]
    assert verdict["device_class"] == "enum"
    assert set(verdict["options"]) == {"Undefined", "OK", "NotOK", "NotDecidable"}
    assert verdict["state_topic"] == "plant/edgeloupe/line-3/belt/verdict"
    problem = components["belt_problem"]
    assert (problem["platform"], problem["device_class"]) == ("binary_sensor", "problem")
    assert "'OK': 'OFF', 'NotOK': 'ON'" in problem["value_template"]
    assert components["press_2_inspected"]["state_class"] == "total_increasing"
    assert components["press_2_inference"]["unit_of_measurement"] == "s"


def test_everything_but_the_connection_itself_depends_on_the_availability() -> None:
    components = introduce()["components"]
    connection = components.pop("connectivity")
    assert "availability_topic" not in connection
    assert (connection["payload_on"], connection["payload_off"]) == ("online", "offline")
    assert {c["availability_topic"] for c in components.values()} == {TOPICS.availability}
    assert connection["state_topic"] == TOPICS.availability


def test_its_templates_name_what_the_metrics_hold() -> None:
    metrics = CameraHealth().told(0.0)
    told = [c for key, c in introduce()["components"].items() if key.startswith(("belt", "press_2"))]
    templates = [c["value_template"] for c in told if c.get("state_topic") == TOPICS.metrics]
    assert len(templates) == 10
    for template in templates:
        path = re.search(r"cameras\['[a-z0-9_-]+'\]\.([A-Za-z_.]+)", template)
        assert path is not None
        value: Any = metrics
        for key in path[1].split("."):
            assert key in value
            value = value[key]
