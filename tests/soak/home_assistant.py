"""A real Home Assistant core takes our introduction: `python -m tests.soak.home_assistant PYTHON`, about 30 s.

PYTHON is a Python with the packages homeassistant, janus and the paho-mqtt that its MQTT part names; a venv of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edge.clock import SystemClock
from edge.health import CameraHealth
from edge.mqtt.broker import Broker, Message
from edge.mqtt.discovery import config_topic, introduction
from edge.mqtt.link import connect
from edge.table import table
from edge.topics import Topics
from tests.brokers import Ear, Mosquitto

CORE = Path(__file__).with_name("home_assistant_core.py")
TOPICS = Topics(prefix="plant/edgeloupe", device="line-3")
CALLS = (
    ("button", "press", {"entity_id": "edgeloupe_line-3_belt_trigger"}),
    ("select", "select_option", {"entity_id": "edgeloupe_line-3_recipe", "option": 'a "b"'}),
    ("update", "install", {"entity_id": "edgeloupe_line-3_model"}),
)
EXPECTED = {
    "connectivity": "on",
    "health": "on",
    "alerts": "12",
    "pending": "1",
    "model": "on",
    "recipe": "leaf",
    "belt_verdict": "NotOK",
    "belt_problem": "on",
    "belt_status": "live",
    "belt_inspected": "5",
    "belt_ok": "3",
    "belt_not_ok": "2",
    "belt_not_decidable": "0",
    "belt_inference": "0.01",
    "belt_trigger": None,  # the time it was pressed
    "belt_picture": None,  # the time the picture came
}


def publish(port: int, *, model: dict[str, Any] | None) -> None:
    """Say what a device says, all of it retained."""
    health = CameraHealth()
    health.inspected, health.inference_s, health.verdicts = 5, 0.01, {"OK": 3, "NotOK": 2, "NotDecidable": 0}
    state = {
        "model": model,
        "last_seq": 12,
        "health": {"ready": False, "reasons": ["camera belt: failed"]},
        **({"next_model": {"release": 4}} if model else {}),
    }
    told = introduction(
        TOPICS,
        ["belt"],
        "leaf",
        commands=("trigger", "reload_model", "prepare_recipe"),
        recipes=["leaf", 'a "b"'],
        pictures=["belt"],
    )
    values: dict[str, Any] = {
        config_topic("homeassistant", "line-3"): told,
        TOPICS.availability: b"online",
        TOPICS.state: state,
        TOPICS.recipe: b"leaf",
        TOPICS.metrics: {"cameras": {"belt": health.told(0.0)}, "outbox": {"pending": 1}},
        TOPICS.camera("belt", "verdict"): b"NotOK",
        TOPICS.camera("belt", "status"): b"live",
        TOPICS.camera("belt", "image"): b"\xff\xd8\xff",
    }
    broker = Broker(host="127.0.0.1", port=port)
    with connect(broker, client_id="device", clock=SystemClock(), session_s=0) as link:
        for topic, value in values.items():
            payload = value if isinstance(value, bytes) else json.dumps(value).encode()
            link.publish(Message(topic=topic, payload=payload, retain=True), topic)
        while link.room < link.window:
            link.pump(1.0)


def core(python: str, folder: Path, port: int, *calls: Any) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Run a core until it has heard everything; give its entities by key, and what it complained of."""
    command = [python, str(CORE), str(folder), str(port), json.dumps(calls)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = re.search(r"^FOUND (.*)$", ran.stdout, re.MULTILINE)
    if found is None:
        raise SystemExit(ran.stderr[-4000:])
    told = {one["unique_id"].removeprefix("edgeloupe_line-3_"): one for one in json.loads(found[1])}
    bad = re.compile(r"Invalid|Unable to|Template|not valid|discovery", re.IGNORECASE)
    return told, [line for line in ran.stderr.splitlines() if bad.search(line)]


def main(python: str) -> int:
    """Run all of it; 0 when everything is as it should be."""
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        publish(broker.port, model={"name": "leaf", "release": 3})
        with Ear(broker.port, f"{TOPICS.root}/cmd/#") as ear:
            told, complaints = core(python, Path(name) / "core", broker.port, *CALLS)
            ear.listen(lambda: len(ear.heard) == len(CALLS), "for commands")
            commands = {heard.topic.rpartition("/")[2]: json.loads(heard.payload) for heard in ear.heard}
        publish(broker.port, model=None)
        _, more = core(python, Path(name) / "again", broker.port)
    rows = [[key, one["domain"], str(one["state"])[:40], one["friendly_name"]] for key, one in sorted(told.items())]
    print(table(["entity", "kind", "state", "name"], rows))
    faults = [
        f"{key}: {told.get(key)}"
        for key, state in EXPECTED.items()
        if state not in (None, told.get(key, {}).get("state"))
    ]
    faults += [f"{key} is missing" for key in EXPECTED if key not in told or told[key]["state"] == "unknown"]
    faults += [*complaints, *more]
    mark = {"correlation": "home-assistant"}
    wanted = {
        "trigger": {"camera": "belt", **mark},
        "prepare_recipe": {"recipe_id": 'a "b"', **mark},
        "reload_model": mark,
    }
    faults += [] if commands == wanted else [f"commands: {commands}"]
    print("\n".join(faults) or f"{len(told)} entities, {len(commands)} commands: as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
