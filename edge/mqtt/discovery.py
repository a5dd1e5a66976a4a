"""Discovery: how the device introduces itself to Home Assistant, in one retained message.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Counters come from
the `metrics` topic, `cameras.<name>.inspected`, `.verdicts` and `.inference_s`; the newest release of the model is
`next_model` of the `state` topic where there is one, else the present one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.inspection import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.topics import Topics

Component = dict[str, Any]
"""What Home Assistant calls one of the things that make an entity."""

_LATEST = "{{ (value_json.next_model or value_json.model).release if value_json.model else '' }}"
_PROBLEM = "{{ {'OK': 'OFF', 'NotOK': 'ON'}.get(value, 'None') }}"  # None: unknown; a doubt is no all-clear


def config_topic(prefix: str, device: str) -> str:
    """Where the introduction stands."""
    return f"{prefix}/device/{_id(device)}/config"


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says `online` when it has started and wants introductions again."""
    return f"{prefix}/status"


def introduction(
    topics: Topics,
    cameras: Sequence[str],
    model: str | None = None,
    *,
    commands: Collection[str] = (),
    recipes: Sequence[str] = (),
    pictures: Collection[str] = (),
) -> dict[str, Any]:
    """Write the introduction of a device with its cameras.

    Args:
        topics: of the device.
        cameras: each has its entities.
        model: the network's name.
        commands: verbs that need no signature, which Home Assistant has none for; others are not offered.
        recipes: those that can be selected; without any there is nothing to select.
        pictures: cameras whose pictures are published.
    """
    components = {"connectivity": _connectivity(topics)}
    own = {**_device(topics, model), **({"recipe": _recipe(topics, recipes)} if recipes else {})}
    for camera in cameras:
        found = _camera(topics, camera) | ({"picture": _picture(topics, camera)} if camera in pictures else {})
        own |= {f"{camera}_{key}": component for key, component in found.items()}
    open_topics = {topics.command(verb) for verb in commands}
    for key, told in own.items():
        component = _heard(told, open_topics)
        if component is None:
            continue
        components[key] = {
            "unique_id": f"{_id(topics.device)}_{key}",
            "availability_topic": topics.availability,
            **component,
        }
    return {
        "device": {
            "identifiers": [_id(topics.device)],
            "name": topics.device,
            "manufacturer": "edgeloupe",
            "model": model or "edgeloupe inspection device",
            "sw_version": __version__,
        },
        "origin": {"name": "edgeloupe", "sw_version": __version__},
        "components": components,
        "qos": 1,
    }


def _heard(component: Component, open_topics: Collection[str]) -> Component | None:
    """Leave out what nobody would obey: a button altogether, of an update only the button."""
    if component.get("command_topic", "") in ("", *open_topics):
        return component
    if component["platform"] != "update":
        return None
    return {key: value for key, value in component.items() if key not in ("command_topic", "payload_install")}


def _connectivity(topics: Topics) -> Component:
    return {  # has no availability of its own, or it would be unavailable instead of off
        "platform": "binary_sensor",
        "unique_id": f"{_id(topics.device)}_connectivity",
        "name": "Connection",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": topics.availability,
        "payload_on": "online",
        "payload_off": "offline",
    }


def _device(topics: Topics, model: str | None) -> dict[str, Component]:
    return {
        "health": {
            "platform": "binary_sensor",
            "name": "Health",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "state_topic": topics.state,
            "value_template": "{{ 'OFF' if value_json.health.ready else 'ON' }}",
            "json_attributes_topic": topics.state,
            "json_attributes_template": "{{ {'reasons': value_json.health.reasons} | tojson }}",
        },
        "alerts": _count(topics.state, "Alerts", "{{ value_json.last_seq }}"),
        "pending": {
            "platform": "sensor",
            "name": "Alerts to be delivered",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "state_topic": topics.metrics,
            "value_template": "{{ value_json.outbox.pending }}",
        },
        "model": {
            "platform": "update",
            "name": "Model",
            "title": model or "Model",
            "entity_category": "config",
            "state_topic": topics.state,
            "value_template": "{{ value_json.model.release if value_json.model else '' }}",
            "latest_version_topic": topics.state,
            "latest_version_template": _LATEST,
            "command_topic": topics.command("reload_model"),
            "payload_install": _command(),
        },
    }


def _camera(topics: Topics, camera: str) -> dict[str, Component]:
    verdict = topics.camera(camera, "verdict")
    here = f"value_json.cameras['{camera}']"
    return {
        "verdict": {
            "platform": "sensor",
            "name": f"{camera} verdict",
            "device_class": "enum",
            "options": [verdict.name for verdict in Verdict],
            "state_topic": verdict,
        },
        "problem": {
            "platform": "binary_sensor",
            "name": f"{camera} defect",
            "device_class": "problem",
            "state_topic": verdict,
            "value_template": _PROBLEM,
        },
        "status": {
            "platform": "sensor",
            "name": f"{camera} camera",
            "entity_category": "diagnostic",
            "state_topic": topics.camera(camera, "status"),
            "value_template": "{{ value_json.state if value_json is mapping else value }}",
        },
        "inspected": _count(topics.metrics, f"{camera} inspected", f"{{{{ {here}.inspected }}}}"),
        **{
            key: _count(topics.metrics, f"{camera} {words}", f"{{{{ {here}.verdicts.{name} | default(0) }}}}")
            for key, words, name in (
                ("ok", "OK", "OK"),
                ("not_ok", "not OK", "NotOK"),
                ("not_decidable", "not decidable", "NotDecidable"),
            )
        },
        "inference": {
            "platform": "sensor",
            "name": f"{camera} inference time",
            "device_class": "duration",
            "unit_of_measurement": "s",
            "state_class": "measurement",
            "suggested_display_precision": 3,
            "entity_category": "diagnostic",
            "state_topic": topics.metrics,
            "value_template": f"{{{{ {here}.inference_s }}}}",
        },
        "trigger": _trigger(topics, camera),
    }


def _trigger(topics: Topics, camera: str) -> Component:
    return {
        "platform": "button",
        "name": f"{camera} trigger",
        "command_topic": topics.command("trigger"),
        "payload_press": _command(camera=camera),
    }


def _picture(topics: Topics, camera: str) -> Component:
    return {
        "platform": "image",
        "name": f"{camera} picture",
        "image_topic": topics.camera(camera, "image"),
        "content_type": "image/jpeg",
    }


def _recipe(topics: Topics, recipes: Sequence[str]) -> Component:
    return {
        "platform": "select",
        "name": "Recipe",
        "options": list(recipes),
        "state_topic": topics.recipe,
        "command_topic": topics.command("prepare_recipe"),
        "command_template": '{"recipe_id": {{ value | tojson }}, "correlation": "home-assistant"}',
    }


def _count(topic: str, name: str, template: str) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "state_class": "total_increasing",
        "state_topic": topic,
        "value_template": template,
    }


def _command(**fields: str) -> str:
    return json.dumps({**fields, "correlation": "home-assistant"})


def _id(device: str) -> str:
    return f"edgeloupe_{device}"
