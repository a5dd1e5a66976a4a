"""Discovery: how the device introduces itself to Home Assistant, in one retained message.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Counters come from
the `metrics` topic, `cameras.<name>.inspected`, `.verdicts` and `.inference_s`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.inspection import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.topics import Topics

_PROBLEM = "{{ {'OK': 'OFF', 'NotOK': 'ON'}.get(value, 'None') }}"  # None: unknown; a doubt is no all-clear


def config_topic(prefix: str, device: str) -> str:
    """Where the introduction stands."""
    return f"{prefix}/device/{_id(device)}/config"


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says `online` when it has started and wants introductions again."""
    return f"{prefix}/status"


def introduction(topics: Topics, cameras: Sequence[str], model: str | None = None) -> dict[str, Any]:
    """Write the introduction of a device with its cameras."""
    components: dict[str, Any] = {
        "connectivity": {  # has no availability of its own, or it would be unavailable instead of off
            "platform": "binary_sensor",
            "unique_id": f"{_id(topics.device)}_connectivity",
            "name": "Connection",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": topics.availability,
            "payload_on": "online",
            "payload_off": "offline",
        }
    }
    for camera in cameras:
        for key, component in _camera(topics, camera).items():
            components[f"{camera}_{key}"] = {
                "unique_id": f"{_id(topics.device)}_{camera}_{key}",
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


def _camera(topics: Topics, camera: str) -> Mapping[str, Mapping[str, Any]]:
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
        "inspected": _count(topics, f"{camera} inspected", f"{{{{ {here}.inspected }}}}"),
        "not_ok": _count(topics, f"{camera} not OK", f"{{{{ {here}.verdicts.NotOK | default(0) }}}}"),
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
    }


def _count(topics: Topics, name: str, template: str) -> Mapping[str, Any]:
    return {
        "platform": "sensor",
        "name": name,
        "state_class": "total_increasing",
        "state_topic": topics.metrics,
        "value_template": template,
    }


def _id(device: str) -> str:
    return f"edgeloupe_{device}"
