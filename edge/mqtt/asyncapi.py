"""AsyncAPI: every topic and message of a device as one document; `python -m edge.mqtt.asyncapi FOLDER` writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic.json_schema import models_json_schema

from edge.camera_state import FAULTS, Word
from edge.mqtt import wire
from edge.mqtt.command import VERBS
from edge.mqtt.replay import ReplayRequest
from edge.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

MESSAGES: Mapping[str, type[BaseModel]] = {
    "result": wire.Result,
    "alert": wire.Alert,
    "summary": wire.Summary,
    "state": wire.State,
    "command": wire.CommandRequest,
    "replay": ReplayRequest,
    "reply": wire.Reply,
    "replay_reply": wire.ReplayReply,
}

_JPEG = {"type": "string", "contentMediaType": "image/jpeg"}
_CAMERA_STATES = [*get_args(Word), *FAULTS]

_HERE = Topics(prefix="{prefix}", device="{device}")
_WORDS: Mapping[str, tuple[str, Any]] = {
    "availability": ("`offline` is the last will", {"enum": ["online", "offline"]}),
    "verdict": ("the newest verdict", {"enum": ["OK", "NotOK", "NotDecidable", "Undefined"]}),
    "status": ("the camera", {"enum": _CAMERA_STATES}),
    "health": (
        "the camera's state, and why",
        {"type": "object", "properties": {"state": {"enum": _CAMERA_STATES}, "detail": {"type": "string"}}},
    ),
    "recipe": ("the recipe in force, on devices that have recipes", {"type": "string"}),
    "metrics": ("all counters, once a minute", {"type": "object"}),
    "image": ("the picture of the newest alert, its regions drawn in; where it is asked for", _JPEG),
}
_PLACES: Mapping[str, tuple[str, tuple[str, ...], int, bool]] = {  # topic, messages, QoS, retained
    "availability": (_HERE.availability, ("availability",), 1, True),
    "state": (_HERE.state, ("state",), 1, True),
    "recipe": (_HERE.recipe, ("recipe",), 1, True),
    "metrics": (_HERE.metrics, ("metrics",), 0, False),
    "verdict": (_HERE.camera("{camera}", "verdict"), ("verdict",), 1, True),
    "status": (_HERE.camera("{camera}", "status"), ("status",), 1, True),
    "health": (_HERE.camera("{camera}", "health"), ("health",), 1, True),
    "image": (_HERE.camera("{camera}", "image"), ("image",), 1, True),
    "result": (_HERE.camera("{camera}", "result"), ("result",), 0, False),
    "alert": (_HERE.camera("{camera}", "alert"), ("alert", "summary"), 1, False),
    "reply": (_HERE.reply("{correlation}"), ("reply", "replay_reply"), 1, False),
    **{
        f"cmd_{verb}": (_HERE.command(verb), ("replay" if verb == "replay" else "command",), 1, False) for verb in VERBS
    },
}


def schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schema (2020-12) of every message that is a JSON object, by name."""
    found = {name: model.model_json_schema(by_alias=True) for name, model in MESSAGES.items()}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: _open({**head, **schema}) for name, schema in found.items()}


def document() -> dict[str, Any]:
    """Give the AsyncAPI 3.0 document."""
    models = [(model, "validation") for model in MESSAGES.values()]
    _, told = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    messages = {
        name: {"payload": {"$ref": f"#/components/schemas/{model.__name__}"}} for name, model in MESSAGES.items()
    }
    words = {name: {"description": text, "payload": schema} for name, (text, schema) in _WORDS.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "edgeloupe", "version": "1", "description": "What a device says and hears over MQTT."},
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic, held) for name, (topic, held, _, _) in _PLACES.items()},
        "operations": {name: _operation(name, *place[2:]) for name, place in _PLACES.items()},
        "components": {"schemas": _open(told["$defs"]), "messages": {**messages, **words}},
    }


def _channel(topic: str, held: tuple[str, ...]) -> dict[str, Any]:
    names = [part[1:-1] for part in topic.split("/") if part.startswith("{")]
    return {
        "address": topic,
        "parameters": {name: {} for name in names},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in held},
    }


def _operation(name: str, qos: int, retain: bool) -> dict[str, Any]:  # noqa: FBT001 - MQTT's own word
    return {
        "action": "receive" if name.startswith("cmd_") else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}},
    }


def _open(schema: Any) -> Any:
    """Let readers accept fields of later versions, which the types here forbid so that none is forgotten."""
    if isinstance(schema, dict):
        return {
            name: _open(value)
            for name, value in schema.items()
            if not (name == "additionalProperties" and value is False)
        }
    return [_open(value) for value in schema] if isinstance(schema, list) else schema


def main() -> None:
    """Write the document and the schemas below a folder."""
    folder = Path(sys.argv[1])
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path, told in {
        folder / "asyncapi.json": document(),
        **{folder / "schemas" / f"{name}.json": schema for name, schema in schemas().items()},
    }.items():
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
